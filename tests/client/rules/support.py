"""Snapshots in few words."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from watchkeeper_client.rules import Outcome, Program, compile_snapshot

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
FLAG = {"type": "flag", "variants": {"on": True, "off": False}, "default": "off", "off": "off", "salt": "pepper"}
COUNT = {"type": "integer", "default": 3, "minimum": 1, "maximum": 10}


def snapshot(
    parameters: Mapping[str, Any],
    segments: Mapping[str, Any] | None = None,
    scheduled: list[Any] | None = None,
    etag: str = '"1"',
) -> dict[str, Any]:
    return {
        "format": 1,
        "environment": "production",
        "version": 1,
        "etag": etag,
        "made_at": "2026-03-02T12:00:00.000000Z",
        "segments": dict(segments or {}),
        "parameters": dict(parameters),
        "scheduled": scheduled or [],
    }


def compiled(document: Mapping[str, Any], environ: Mapping[str, str] | None = None, now: datetime = NOW) -> Program:
    return compile_snapshot(document, now=now, environ=environ or {}, clock=lambda: now)


def asked(document: Mapping[str, Any], key: str, user: str | None = None, **attributes: Any) -> Outcome:
    found = compiled(document).outcome(key, user, attributes)
    assert found is not None
    return found
