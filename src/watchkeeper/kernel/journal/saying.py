"""What a fact changed, field by field, in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

NOTHING = "nothing"
_LONGEST = 300


@dataclass(frozen=True)
class Difference:
    """One field that changed."""

    field: str
    before: str
    after: str


def differences(data: Mapping[str, Any], *, as_given: bool) -> list[Difference]:
    """What stands under `before` and `after` in the data of a fact; `as_given` leaves names of fields as they are."""
    before, after = data.get("before"), data.get("after")
    old: Mapping[str, Any] = before if isinstance(before, Mapping) else {}
    new: Mapping[str, Any] = after if isinstance(after, Mapping) else {}
    names = [*new, *(name for name in old if name not in new)]
    return [
        Difference(
            field=name if as_given else name.replace("_", " "),
            before=_words(old.get(name)),
            after=_words(new.get(name)),
        )
        for name in names
    ]


def _words(value: Any) -> str:
    if value is None or value in ([], "", {}):
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return str(value.get("title") or ", ".join(f"{key} {_words(one)}" for key, one in value.items()))
    text = ", ".join(_words(one) for one in value) if isinstance(value, (list, tuple)) else str(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
