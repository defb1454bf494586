"""The page that documents parameters: grouped tables, the same for a product's parameters and for Watchkeeper's own."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from watchkeeper_client.rules import Definition, text_of

NOTICE = "<!-- Made by `watchkeeper config docs`; edit the parameters that it describes. -->"
CHANGED = "last change"
_NO_GROUP = "Other parameters"


@dataclass(frozen=True)
class Documented:
    """A parameter as the page shows it. `more` are further columns, by their title."""

    definition: Definition
    name: str = ""
    changed: str = ""
    more: Mapping[str, str] = field(default_factory=dict)

    @property
    def shown_name(self) -> str:
        return self.name or self.definition.key


@dataclass(frozen=True)
class Group:
    """A table under a heading, with a sentence about it."""

    title: str
    rows: Sequence[Documented]
    about: str = ""


def page(title: str, notice: str, intro: Sequence[str], groups: Iterable[Group]) -> str:
    """The page as Markdown; columns that say nothing on the whole of it are left out."""
    groups = list(groups)
    columns = _columns([row for group in groups for row in group.rows])
    lines = [f"# {title}", notice, *intro]
    for group in groups:
        lines += ["", f"## {group.title}", ""]
        if group.about:
            lines += [group.about, ""]
        lines.append(f"| {' | '.join(columns)} |")
        lines.append(f"| {' | '.join('---' for _ in columns)} |")
        lines += [f"| {' | '.join(_cell(say(row)) for say in columns.values())} |" for row in group.rows]
    return "\n".join(lines) + "\n"


def parameters_page(rows: Iterable[Documented]) -> str:
    """The page of a product's parameters, by group and key."""
    by_group: dict[str, list[Documented]] = {}
    for row in sorted(rows, key=lambda row: (row.definition.group, row.definition.key)):
        by_group.setdefault(row.definition.group, []).append(row)
    ordered = sorted(by_group, key=lambda name: (not name, name))
    count = sum(map(len, by_group.values()))
    intro = [
        f"{count} parameter{'' if count == 1 else 's'}. A value is decided highest first: an override of the user, of",
        "a segment, what is set in the environment, the environment variable of the key's name, the default.",
    ]
    groups = [Group(name or _NO_GROUP, by_group[name]) for name in ordered]
    return page("Configuration", NOTICE, intro, groups)


def difference(found: str, expected: str, name: str) -> list[str]:
    """A unified diff from what a file says to what it should; empty where they are the same.

    Who changed a parameter last is compared only if both say it: a page that is made from files can't know.
    """
    if not (_says_changes(found) and _says_changes(expected)):
        found, expected = _without_changes(found), _without_changes(expected)
    return list(
        difflib.unified_diff(found.splitlines(), expected.splitlines(), name, f"{name} as it should be", lineterm="")
    )


def bounds_of(one: Definition) -> str:
    """What values may be, in words."""
    if one.type == "flag":
        return ", ".join(one.variants)
    if one.pattern:
        return f"`{one.pattern}`"
    if one.schema is not None:
        return "a schema"
    return one.bounds


def _columns(rows: Sequence[Documented]) -> dict[str, Callable[[Documented], str]]:
    more = list(dict.fromkeys(title for row in rows for title in row.more))

    def further(title: str) -> Callable[[Documented], str]:
        return lambda row: row.more.get(title, "")

    columns: dict[str, Callable[[Documented], str]] = {
        "key": lambda row: f"`{row.shown_name}`",
        **{title: further(title) for title in more},
        "type": lambda row: row.definition.type.replace("_", " "),
        "default": _default,
        "bounds": lambda row: bounds_of(row.definition),
        "unit": lambda row: row.definition.unit or "",
        "what it does": _description,
        "owner": lambda row: row.definition.owner or "",
        "used by": _used_by,
        CHANGED: lambda row: row.changed,
    }
    return {title: say for title, say in columns.items() if title in ("key", "type", "default") or any(map(say, rows))}


def _default(row: Documented) -> str:
    one = row.definition
    if one.default is None:
        return "unset"
    if one.default == "":
        return "empty"
    return f"`{text_of(one.type, one.default)}`"


def _description(row: Documented) -> str:
    one = row.definition
    said = [one.description]
    if one.deprecated_since:
        said.append(f"**Deprecated since {one.deprecated_since}.**")
    if one.expires_on:
        said.append(f"To be gone by {one.expires_on}.")
    return " ".join(part for part in said if part)


def _used_by(row: Documented) -> str:
    one = row.definition
    return ", ".join(dict.fromkeys([*([one.service] if one.service else []), *one.used_by]))


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _says_changes(text: str) -> bool:
    return f" {CHANGED} |" in text


def _without_changes(text: str) -> str:
    if not _says_changes(text):
        return text
    # A cell ends at a bar that is not escaped; the column of changes is always the last one.
    return "\n".join(
        re.sub(r"(?<!\\)\|(?:[^|]|(?<=\\)\|)*\|$", "|", line) if line.startswith("| ") else line
        for line in text.splitlines()
    )


def changed_by(when: str, who: str) -> str:
    """When and by whom, in a cell."""
    return f"{when[:10]}, {who}"
