"""Issues as GitHub writes them, of which only these fields are read; the rest is theirs to change."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from watchkeeper.modules.postmortems.model import ActionItem, ActionState

_MENTION = re.compile(r"@(?=\w)")


class IssueSaid(BaseModel):
    """An issue, or a pull request: GitHub lists both together."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    number: int = Field(ge=1)
    html_url: str = Field("", max_length=500)
    state: str = "open"
    state_reason: str | None = None
    body: str | None = None
    created_at: AwareDatetime | None = None

    @property
    def is_closed(self) -> bool:
        return self.state == "closed"


class NotUnderstood(Exception):
    """The answer is no issue, or none that is whole."""


_ONE = TypeAdapter(IssueSaid)
_MANY = TypeAdapter(list[IssueSaid])


def read_issue(body: bytes) -> IssueSaid:
    """Raises NotUnderstood."""
    found: IssueSaid = _read(_ONE, body)
    return found


def read_issues(body: bytes) -> list[IssueSaid]:
    """Raises NotUnderstood."""
    found: list[IssueSaid] = _read(_MANY, body)
    return found


def _read(shape: TypeAdapter[Any], body: bytes) -> Any:
    try:
        return shape.validate_json(body)
    except ValidationError:
        raise NotUnderstood from None


def mark_of(action: str) -> str:
    """By which an issue of ours is found again, whatever people do with its title."""
    return f"<!-- watchkeeper:{action} -->"


@dataclass(frozen=True)
class Opening:
    """What an issue is opened with."""

    action: ActionItem
    href: str

    def body(self) -> bytes:
        """As JSON. Nobody is called by a name that somebody wrote into an action item."""
        lines = [self.action.detail, f"From the postmortem at {self.href}", mark_of(self.action.id)]
        text = "\n\n".join(_MENTION.sub("@\N{ZERO WIDTH SPACE}", one) for one in lines if one)
        return json.dumps({"title": self.action.title, "body": text}).encode()


def state_of(action: ActionItem) -> bytes:
    """What an issue is to be, as JSON: closed with why, or open."""
    if not action.state.is_over:
        return json.dumps({"state": "open"}).encode()
    reason = "completed" if action.state is ActionState.DONE else "not_planned"
    return json.dumps({"state": "closed", "state_reason": reason}).encode()
