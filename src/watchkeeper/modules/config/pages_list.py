"""The list of parameters: what each one is now, where that comes from, and who changed it last."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from sqlalchemy.orm import Session

from watchkeeper.kernel.clock import rfc3339
from watchkeeper.kernel.web.csv_table import csv_text
from watchkeeper.modules.config import store, store_pages, store_reports
from watchkeeper.modules.config.model import Parameter, Setting, is_own, shown
from watchkeeper.modules.config.stale import stale
from watchkeeper.modules.config.store_pages import LastChange
from watchkeeper.modules.config.store_reports import Variable
from watchkeeper_client.rules import Definition, NotThatType, check_value, parse_text, text_of

ON_A_PAGE = 200
SHOW = {
    "": "everything",
    "flags": "flags only",
    "changed": "set here",
    "overridden": "with overrides",
    "deprecated": "deprecated or expired",
    "stale": "to clear up",
}
SORT = {"": "group", "key": "key", "changed": "last changed"}
LAYERS = {"system_config": "set here", "env": "environment variable", "code": "code default"}


@dataclass(frozen=True)
class Wanted:
    """Which parameters the list shows, as it stands in the address."""

    q: str = ""
    group: str = ""
    show: str = ""
    sort: str = ""
    page: int = 1

    @property
    def query(self) -> str:
        said = {name: value for name, value in vars(self).items() if value and not (name == "page" and value == 1)}
        return urlencode(said)

    def at(self, page: int) -> str:
        """The query of another page of the list."""
        return replace(self, page=page).query

    def fits(self, row: Row) -> bool:
        said = row.definition
        words = f"{said.key} {said.description} {said.owner or ''} {row.value}".casefold()
        return (
            all(word in words for word in self.q.casefold().split())
            and (not self.group or said.group == self.group or said.group.startswith(f"{self.group}/"))
            and _SHOWN[self.show if self.show in _SHOWN else ""](row)
        )


@dataclass(frozen=True)
class Row:
    """One parameter in one environment. `stale` says why it wants clearing up, where that was asked."""

    parameter: Parameter
    value: str
    layer: str
    note: str
    users: int
    segments: int
    last: LastChange | None
    today: str
    stale: tuple[str, ...] = ()

    @property
    def definition(self) -> Definition:
        return self.parameter.definition

    @property
    def is_killed(self) -> bool:
        return self.definition.type == "flag" and self.value == "killed"

    @property
    def is_expired(self) -> bool:
        return (self.definition.expires_on or "9") < self.today


_SHOWN: Mapping[str, Any] = {
    "": lambda row: True,  # noqa: ARG005
    "flags": lambda row: row.definition.type == "flag",
    "changed": lambda row: row.layer == "system_config" or row.users or row.segments,
    "overridden": lambda row: row.users or row.segments,
    "deprecated": lambda row: row.definition.deprecated_since or row.is_expired,
    "stale": lambda row: row.stale,
}


@dataclass(frozen=True)
class Listing:
    """What the list shows: these rows of so many that fit, of so many there are."""

    rows: tuple[Row, ...]
    fitting: int
    total: int
    groups: tuple[str, ...]
    pages: int

    def by_group(self) -> list[tuple[str, list[Row]]]:
        """Rows under the headings they stand under."""
        found: dict[str, list[Row]] = {}
        for row in self.rows:
            found.setdefault(row.definition.group, []).append(row)
        return list(found.items())


def listing(
    session: Session, environment: str, wanted: Wanted, *, now: datetime, most: int | None = ON_A_PAGE
) -> Listing:
    """The rows of one page of the list; of all of them without `most`."""
    everything = _rows(session, environment, wanted, now)
    fitting = _sorted([row for row in everything if wanted.fits(row)], wanted.sort)
    pages = max(1, -(-len(fitting) // most)) if most else 1
    first = (min(wanted.page, pages) - 1) * (most or 0)
    shown_rows = fitting[first : first + most] if most else fitting
    if wanted.sort != "changed":
        last = store_pages.last_changes(session, environment, [row.parameter.key for row in shown_rows])
        shown_rows = [replace(row, last=last.get(row.parameter.key)) for row in shown_rows]
    groups = sorted({group for row in everything for group in _with_parents(row.definition.group)})
    return Listing(tuple(shown_rows), len(fitting), len(everything), tuple(groups), pages)


def now_in(definition: Definition, setting: Setting | None, variables: Sequence[Variable]) -> tuple[str, str, str]:
    """(value, layer, note) of what everybody without an override gets: `system_config`, a variable, or the default."""
    if setting is not None:
        return shown(definition, setting.value), "system_config", ""
    seen = [(one.service, text) for one in variables if (text := variable_text(definition, one)) is not None]
    if seen:
        texts = sorted({text for _, text in seen})
        services = ", ".join(sorted({service for service, _ in seen}))
        return " or ".join(texts)[:80], "env", f"in {services}"
    return default_text(definition), "code", ""


def variable_text(definition: Definition, variable: Variable) -> str | None:
    """What a variable says, in normal form; None where it does not hold a value of this parameter."""
    if definition.type == "secret" or variable.said is None:
        return "is set"
    try:
        return text_of(definition.type, check_value(definition, parse_text(definition.type, variable.said)))
    except NotThatType:
        return None


def default_text(definition: Definition) -> str:
    """What the code says, in words."""
    if definition.default is None:
        return "nothing: the code says with what it asks"
    text = text_of(definition.type, definition.default)
    if definition.type == "flag":
        return f"{text} for everybody"
    return shown(definition, definition.default) if text else "empty text"


def as_csv(rows: Iterable[Row], names: Mapping[str, str]) -> str:
    """One row a parameter."""
    header = ["key", "type", "group", "value", "decided by", "bounds", "unit", "user overrides", "segment overrides"]
    header += ["changed at", "changed by", "owner", "service", "deprecated since", "expires on", "description"]
    return csv_text(header, (_csv_row(row, names) for row in rows))


def _csv_row(row: Row, names: Mapping[str, str]) -> list[Any]:
    said, last = row.definition, row.last
    who = [rfc3339(last.at), names.get(last.by, last.by)] if last else [None, None]
    return [
        *[said.key, said.type, said.group, row.value, row.layer, said.bounds, said.unit, row.users, row.segments],
        *who,
        *[said.owner, said.service, said.deprecated_since, said.expires_on, said.description],
    ]


def _rows(session: Session, environment: str, wanted: Wanted, now: datetime) -> list[Row]:
    values = store_pages.values_in(session, environment)
    counts = store.count_overrides(session, environment)
    variables: dict[str, list[Variable]] = {}
    for seen in store_reports.variables_of(session, environment):
        variables.setdefault(seen.key, []).append(seen)
    why: dict[str, tuple[str, ...]] = {}
    if wanted.show == "stale":
        for found in stale(session, now=now):
            why[found.key] = (*why.get(found.key, ()), found.why)
    last = store_pages.last_changes(session, environment) if wanted.sort == "changed" else {}
    rows = []
    ours = wanted.group.partition("/")[0] == "watchkeeper"
    for one in store.all_parameters(session):
        if is_own(one.key) and not ours:
            continue
        value, layer, note = now_in(one.definition, values.get(one.key), variables.get(one.key, ()))
        count = counts.get(one.key, {})
        users, segments = count.get("user", 0), count.get("segment", 0)
        today, reasons = now.date().isoformat(), why.get(one.key, ())
        rows.append(Row(one, value, layer, note, users, segments, last.get(one.key), today, reasons))
    return rows


def _sorted(rows: list[Row], sort: str) -> list[Row]:
    if sort == "changed":
        rows = sorted(rows, key=lambda row: row.definition.key)
        return sorted(rows, key=lambda row: row.last.at.timestamp() if row.last else 0.0, reverse=True)
    if sort == "key":
        return sorted(rows, key=lambda row: row.definition.key)
    # What belongs to no group comes last, where it is not in the way.
    return sorted(rows, key=lambda row: (not row.definition.group, row.definition.group, row.definition.key))


def _with_parents(group: str) -> list[str]:
    parts = group.split("/") if group else []
    return ["/".join(parts[: n + 1]) for n in range(len(parts))]
