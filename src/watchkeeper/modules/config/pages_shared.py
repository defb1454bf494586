"""What the pages of runtime configuration share: where the reader is, and how values are written."""

# Annotations are kept as objects for FastAPI.
import difflib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import quote, urlencode

from fastapi import Query
from sqlalchemy.orm import Session

from watchkeeper.kernel.clock import Clock
from watchkeeper.modules.config import store, store_pages
from watchkeeper.modules.config.model import ChangeState, Environment, shown, split_slot
from watchkeeper.modules.config.service import Config
from watchkeeper_client.rules import Definition, text_of

InAddress = Annotated[str, Query(alias="environment", max_length=64)]
_LONG = 60
STATE_WORDS = {
    ChangeState.WAITING_APPROVAL: ("warning", "waits for approval"),
    ChangeState.SCHEDULED: ("info", "scheduled"),
    ChangeState.APPLIED: ("ok", "made"),
    ChangeState.REJECTED: ("muted", "rejected"),
    ChangeState.CANCELLED: ("muted", "cancelled"),
    ChangeState.FAILED: ("danger", "could not be made"),
}


@dataclass(frozen=True)
class Place:
    """Which environment the reader looks at, of which ones, and how many changes wait for approval in all."""

    environment: Environment
    environments: tuple[Environment, ...]
    waiting: int

    @property
    def name(self) -> str:
        return self.environment.name

    def address(self, path: str, environment: str | None = None, **query: str | int | None) -> str:
        """An address of these pages that keeps to an environment."""
        said = {"environment": environment or self.name, **query}
        return f"{path}?{urlencode({name: value for name, value in said.items() if value not in (None, '')})}"

    def parameter(self, key: str, environment: str | None = None, **query: str | int | None) -> str:
        """The page of a parameter."""
        return self.address(f"/config/parameters/{quote(key, safe='')}", environment, **query)

    def tabs(self, current: str) -> list[tuple[Any, ...]]:
        """The sections of these pages, as the shell's macro wants them."""
        sections = [
            ("Parameters", "/config", None),
            ("Changes", "/config/changes", self.waiting or None),
            ("Compare", "/config/diff", None),
            ("Environments", "/config/environments", None),
            ("Clear up", "/config/stale", None),
        ]
        return [(label, self.address(path), label == current, count) for label, path, count in sections]


def place(session: Session, clock: Clock, name: str) -> Place:
    """Where the reader is. Raises EnvironmentNotFound."""
    return Place(
        Config(session, clock).environment(name),
        tuple(store.all_environments(session)),
        store_pages.count_changes(session, ChangeState.WAITING_APPROVAL),
    )


@dataclass(frozen=True)
class DiffLine:
    """One line of a difference: taken away, added, or on both sides."""

    sign: str
    text: str

    @property
    def words(self) -> str:
        return {"-": "taken away", "+": "added"}.get(self.sign, "")


@dataclass(frozen=True)
class StepShown:
    """One step of a change, as pages show it."""

    key: str
    whom: str
    old: str
    new: str
    lines: tuple[DiffLine, ...]
    takes_away: bool = False


def step_shown(definition: Definition | None, key: str, slot: str, before: Any, after: Any) -> StepShown:
    """A step in words; for long values with a difference line by line. `definition` is None of a key that is gone."""
    is_text = isinstance(before if before is not None else after, str)
    spoken = definition or Definition(key, "string" if is_text else "json")
    # The priority of an override stands in the short form; what may be long is its value.
    inner = [one["value"] if slot.startswith("segment:") and one is not None else one for one in (before, after)]
    old, new = (pretty(spoken, one) for one in inner)
    is_long = old != new and ("\n" in old + new or max(len(old), len(new)) > 80)
    lines = diff_lines(old, new) if is_long else ()
    brief = (shown(spoken, before), shown(spoken, after))
    if lines and all(len(one) > _LONG for one in brief):
        # Two long texts that begin alike tell nothing beside each other.
        changed = sum(1 for line in lines if line.words)
        brief = (f"{len(old):,} characters", f"{changed} line{'s' if changed != 1 else ''} otherwise")
    return StepShown(key, whom(slot), *brief, lines, takes_away=after is None)


def whom(slot: str) -> str:
    """Whom a slot is for, in words."""
    kind, target = split_slot(slot)
    return {"user": f"user {target}", "segment": f"segment {target}"}.get(kind, "everybody")


def pretty(definition: Definition, value: Any) -> str:
    """A value in full, as people read and write it."""
    if value is None:
        return ""
    if isinstance(value, Mapping) and definition.type != "secret":
        return json.dumps(value, indent=2, ensure_ascii=False)
    if isinstance(value, list):
        return json.dumps(value, indent=2, ensure_ascii=False)
    return text_of(definition.type, value)


def diff_lines(old: str, new: str) -> tuple[DiffLine, ...]:
    """What changed, line by line, with three lines around each change."""
    found = difflib.unified_diff(old.splitlines(), new.splitlines(), lineterm="", n=3)
    return tuple(DiffLine(line[0], line[1:]) for line in found if not line.startswith(("---", "+++", "@@")))


def names_wanted(*listed: Iterable[str | None]) -> set[str]:
    """The ids of everybody that a page speaks of."""
    return {one for ids in listed for one in ids if one}
