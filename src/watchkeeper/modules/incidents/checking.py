"""What people say of an incident, checked once for every way in."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from sqlalchemy.orm import Session

from watchkeeper.kernel.errors import Complaint
from watchkeeper.modules.identity import public as identity
from watchkeeper.modules.incidents.errors import IncidentInvalid

LONGEST_TITLE, LONGEST_TEXT = 200, 20_000
MOST_SERVICES, MOST_USERS = 50, 10**12
# What can't be seen, or makes a text read otherwise than it is.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]")


def invalid(where: str, expected: str) -> IncidentInvalid:
    """A refusal with one complaint."""
    return IncidentInvalid("It can't be taken as it is.", complaints=[Complaint(where, expected)])


def text_of(said: str, where: str, *, longest: int = LONGEST_TEXT, needed: bool = True) -> str:
    """Without control characters and direction marks. Raises IncidentInvalid for none, or too much of it."""
    found = _CONTROL.sub("", said.replace("\r\n", "\n").replace("\r", "\n")).strip()
    if (needed and not found) or len(found) > longest:
        raise invalid(where, f"{'1' if needed else 'at most'}{' to' if needed else ''} {longest:,} characters")
    return found


def line_of(said: str, where: str, *, longest: int = LONGEST_TITLE, needed: bool = True) -> str:
    """The same on one line."""
    return text_of(" ".join(said.split()), where, longest=longest, needed=needed)


def checked(**said: Any) -> dict[str, Any]:
    """What was said of these fields, as it is kept. Raises IncidentInvalid."""
    found: dict[str, Any] = {}
    for name, value in said.items():
        if name == "title":
            found[name] = line_of(value, name)
        elif name in ("summary", "impact"):
            found[name] = text_of(value, name, needed=False)
        elif name == "services":
            found[name] = _services(value)
        elif name == "environment":
            found[name] = line_of(value, name, needed=False) or None if value is not None else None
        elif name == "users_affected":
            if value is not None and not 0 <= value <= MOST_USERS:
                raise invalid(name, f"from 0 to {MOST_USERS:,}")
            found[name] = value
        else:
            raise invalid(name, "title, summary, impact, users_affected, services or environment")
    return found


def require_responder(session: Session, person: str) -> None:
    """Raises IncidentInvalid for whoever has no account, or may not respond."""
    if not any(one.id == person and one.active and one.responds for one in identity.staff(session)):
        raise invalid("person", "the id of a person who may respond and whose account is not disabled")


def _services(names: Collection[str]) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(line_of(one, "services") for one in names))
    if len(found) > MOST_SERVICES:
        raise invalid("services", f"at most {MOST_SERVICES} services")
    return found
