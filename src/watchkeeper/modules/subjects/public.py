"""What other modules may ask of subjects and segments."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy.orm import Session


def segment_rules(session: Session, names: Iterable[str]) -> dict[str, Any]:
    return {name: {"when": {"all": []}} for name in names if name == "all_users"}


def segments_version(session: Session) -> int:
    return 0


def segment_exists(session: Session, name: str) -> bool:
    return name == "all_users"
