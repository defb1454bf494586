"""All layers of a parameter in one environment: what each says, since when, by whom, and what hides what."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from watchkeeper.modules.config import store_pages, store_reports
from watchkeeper.modules.config.model import Environment, Setting, shown, winning_order
from watchkeeper.modules.config.pages_list import default_text, now_in, variable_text
from watchkeeper.modules.config.pages_shared import pretty
from watchkeeper.modules.config.reports import FRESH
from watchkeeper.modules.config.store_pages import Slots
from watchkeeper.modules.config.store_reports import Declared, Variable
from watchkeeper_client.rules import Definition, text_of

MOST_USERS = 50
TITLES = {
    "user": "User override",
    "segment": "Segment override",
    "system_config": "system_config",
    "env": "Environment variable",
    "code": "Code default",
}


@dataclass(frozen=True)
class Said:
    """What one layer says. `standing` is a kind of badge and its words: what this layer decides, or what hides it."""

    layer: str
    name: str
    value: str
    standing: tuple[str, str]
    note: str = ""
    setting: Setting | None = None
    seen_at: datetime | None = None


@dataclass(frozen=True)
class Layers:
    """The layers of a parameter, highest first, and what everybody without an override gets."""

    said: tuple[Said, ...]
    slots: Slots
    value: str
    decided_by: str

    def of(self, layer: str) -> list[Said]:
        return [one for one in self.said if one.layer == layer]

    @property
    def hidden(self) -> list[Said]:
        """What services see in their environment while a stored value goes first."""
        return [one for one in self.of("env") if one.standing[0] == "warning"]


@dataclass(frozen=True)
class Beside:
    """A parameter in one of the environments, for the table that has them side by side."""

    environment: Environment
    value: str
    layer: str
    users: int
    segments: int
    setting: Setting | None


def layers(session: Session, definition: Definition, environment: str, now: datetime) -> Layers:
    """Everything that is said of a parameter in an environment."""
    slots = store_pages.slots(session, environment, definition.key, most_users=MOST_USERS)
    variables = store_reports.variables_of(session, environment, definition.key)
    declared = store_reports.declared(session, definition.key).get(definition.key, [])
    value, decided_by, _ = now_in(definition, slots.value, variables)
    said = (
        *_of_users(definition, slots),
        *_of_segments(definition, slots.segments),
        _of_everybody(definition, slots.value),
        *_of_variables(definition, variables, hidden=slots.value is not None, now=now),
        *_of_code(definition, declared, hidden=slots.value is not None),
    )
    return Layers(said, slots, value, decided_by)


def side_by_side(session: Session, definition: Definition, environments: Sequence[Environment]) -> list[Beside]:
    """What a parameter is in each environment."""
    values = store_pages.values_of(session, definition.key)
    counts = store_pages.override_counts(session, definition.key)
    found = []
    for one in environments:
        variables = store_reports.variables_of(session, one.name, definition.key)
        value, layer, _ = now_in(definition, values.get(one.name), variables)
        count = counts.get(one.name, {})
        found.append(Beside(one, value, layer, count.get("user", 0), count.get("segment", 0), values.get(one.name)))
    return found


def _of_users(definition: Definition, slots: Slots) -> Iterator[Said]:
    for one in slots.users:
        yield Said("user", one.target, _text(definition, one), ("ok", "decides for this user"), setting=one)


def _of_segments(definition: Definition, settings: Sequence[Setting]) -> Iterator[Said]:
    ordered = winning_order(settings)
    for number, one in enumerate(ordered):
        tied = [other.target for other in ordered if other is not one and other.priority == one.priority]
        note = f"priority {one.priority}"
        if tied:
            first = next(other for other in ordered if other.priority == one.priority)
            won = "the newest, goes first" if first is one else f"{first.target} is newer and goes first"
            note += f", the same as {' and '.join(tied)}: {won}"
        words = "decides for its members" if number == 0 else f"asked {_ordinal(number + 1)}"
        yield Said("segment", one.target, _text(definition, one), ("ok" if number == 0 else "info", words), note, one)


def _of_everybody(definition: Definition, setting: Setting | None) -> Said:
    if setting is None:
        return Said("system_config", "", "", ("muted", "empty: the next layer decides"))
    return Said("system_config", "", _text(definition, setting), ("ok", "decides for everybody else"), setting=setting)


def _of_variables(
    definition: Definition, variables: Sequence[Variable], *, hidden: bool, now: datetime
) -> Iterator[Said]:
    """Programs of one service that see the same text are one row."""
    seen: dict[tuple[str, str | None], list[Variable]] = {}
    for one in variables:
        seen.setdefault((one.service, one.said), []).append(one)
    for (service, said), programs in seen.items():
        text = variable_text(definition, programs[0])
        newest = max(one.seen_at for one in programs)
        count = f"{len(programs)} program{'s' if len(programs) != 1 else ''}"
        note = count if now - newest <= FRESH else f"{count}, not heard of lately"
        if text is None:
            standing = ("danger", "not a value of this parameter: ignored")
        elif hidden:
            standing = ("warning", "hidden by system_config")
        else:
            standing = ("ok", f"decides in {service}")
        value = text if text is not None else (said or "")[:80]
        yield Said("env", service, value, standing, note, seen_at=newest)


def _of_code(definition: Definition, declared: Sequence[Declared], *, hidden: bool) -> Iterator[Said]:
    standing = ("muted", "hidden by system_config") if hidden else ("ok", "decides where nothing above says anything")
    yield Said("code", "registry", default_text(definition), standing)
    for one in declared:
        same = one.definition.default == definition.default
        note = "as in the registry" if same else "the registry says otherwise; the code uses this where it is alone"
        differs = ("info", "differs from the registry")
        yield Said(
            "code", one.service, default_text(one.definition), standing if same else differs, note, seen_at=one.seen_at
        )


def _text(definition: Definition, setting: Setting) -> str:
    return shown(definition, setting.value) or "empty text"


def editable(definition: Definition, setting: Setting | None) -> str:
    """The text that the editor begins with: what is set, else the default."""
    value = setting.value if setting is not None else definition.default
    if definition.type == "json" and value is not None:
        return pretty(definition, value)
    return text_of(definition.type, value)


def _ordinal(number: int) -> str:
    return {2: "second", 3: "third"}.get(number, f"as number {number}")
