"""What is wrong with a runbook that can be read: sections, links, names, commands, and when it was last read whole."""

from __future__ import annotations

import difflib
import shutil
import subprocess  # nosec B404 (a shell is asked to read a script, never to run it)
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from functools import cache, lru_cache
from typing import Literal, Protocol
from urllib.parse import unquote

from sqlalchemy.orm import Session

from watchkeeper.kernel.ops import Complaints, OpsInvalid
from watchkeeper.modules.runbooks.blocks import body_problems
from watchkeeper.modules.runbooks.model import Content, How
from watchkeeper.modules.runbooks.template import SECTIONS

Level = Literal["error", "warning"]
_SECONDS = 5
_SCHEMES = ("https:", "http:", "mailto:")


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong, where it stands, and what was expected."""

    code: str
    text: str
    file: str
    line: int = 1
    column: int = 1
    level: Level = "error"

    @property
    def where(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True)
class Known:
    """Names that exist; None where nobody can say, and then nothing is held against them."""

    services: frozenset[str] | None = None
    owners: frozenset[str] | None = None
    alerts: frozenset[str] | None = None
    parameters: frozenset[str] | None = None
    runbooks: frozenset[str] | None = None
    actions: frozenset[str] | None = None

    def with_more(self, other: Known) -> Known:
        """What either knows."""
        names = ("services", "owners", "alerts", "parameters", "runbooks", "actions")
        return Known(**{name: _either(getattr(self, name), getattr(other, name)) for name in names})


class Knowledge(Protocol):
    """Who knows the names of other modules' things; `app` puts it in."""

    def known(self, session: Session) -> Known:
        """Everything that this server has."""
        ...


def problems_of(
    content: Content,
    known: Known,
    today: date,
    *,
    file: str = "",
    is_there: Callable[[str], bool] | None = None,
) -> list[Problem]:
    """All that is wrong, in the order of lines. `is_there` tells whether a path relative to the file leads anywhere."""
    file = file or f"runbooks/{content.name}.md"
    found = [
        *_sections(content, file),
        *_names(content, known, file),
        *_links(content, known, file, is_there),
        *_steps(content, known, file),
        *_review(content, today, file),
    ]
    return sorted(found, key=lambda one: (one.line, one.column, one.code))


def _sections(content: Content, file: str) -> Iterator[Problem]:
    there = {one.title.casefold(): one for one in content.sections}
    end = len(content.text.splitlines()) or 1
    for wanted in SECTIONS[content.kind]:
        section = there.get(wanted.title.casefold())
        if section is None:
            yield Problem("section-missing", f"expected a section {wanted.title!r}: {wanted.asks}", file, end)
        elif not section.filled and not _is_filled_below(content, section.anchor):
            yield Problem("section-empty", f"expected {wanted.asks} in {wanted.title!r}", file, section.line)
    for name, needed in (("owners", content.owners), ("dashboards", content.dashboards), ("metrics", content.metrics)):
        if not needed and (name == "owners" or content.kind.value == "service"):
            yield Problem("field-missing", f"expected {name} in the front matter", file)
    anchors = {one.anchor for one in content.sections}
    for alert, anchor in content.alerts.items():
        if anchor not in anchors:
            hint = _close(anchor, anchors)
            text = f"expected the anchor of a section, found {anchor!r}{hint}"
            yield _at(content, file, f"alerts.{alert}", "anchor", text)


def _is_filled_below(content: Content, anchor: str) -> bool:
    """Whether a section that only has parts has a part with something in it, before the next of its own level."""
    after = iter(content.sections)
    level = next(one.level for one in after if one.anchor == anchor)
    for one in after:
        if one.level <= level:
            return False
        if one.filled:
            return True
    return False


def _names(content: Content, known: Known, file: str) -> Iterator[Problem]:
    each: tuple[tuple[str, str, Iterable[tuple[str, str]], frozenset[str] | None], ...] = (
        ("service-unknown", "a service of the catalog", _one("service", content.service), known.services),
        ("owner-unknown", "a team or person", _many("owners", content.owners), known.owners),
        ("service-unknown", "a service of the catalog", _many("related", content.related), known.services),
        ("alert-unknown", "an alert that is known", ((f"alerts.{a}!", a) for a in content.alerts), known.alerts),
        ("parameter-unknown", "a configuration key", _many("parameters", content.parameters), known.parameters),
    )
    for code, expected, names, there in each:
        for path, name in names:
            if there is not None and name.casefold() not in {one.casefold() for one in there}:
                yield _at(content, file, path, code, f"expected {expected}, found {name!r}{_close(name, there)}")


def _links(content: Content, known: Known, file: str, is_there: Callable[[str], bool] | None) -> Iterator[Problem]:
    anchors = {one.anchor for one in content.sections}
    for link in content.links:
        target, _, anchor = unquote(link.target).partition("#")
        if target.startswith(_SCHEMES):
            continue
        if not target:
            if anchor not in anchors:
                hint = _close(anchor, anchors)
                yield Problem("link-dead", f"expected the anchor of a section, found #{anchor}{hint}", file, link.line)
        elif target.endswith(".md") and "/" not in target:
            name = target.removesuffix(".md")
            alive = is_there(target) if is_there is not None else known.runbooks is None or name in known.runbooks
            if not alive:
                yield Problem("link-dead", f"expected a runbook beside this one, found {target!r}", file, link.line)
        elif target.startswith("/"):
            continue  # a page of the console: what lies behind it is not for a file to say
        elif is_there is not None and not is_there(target):
            yield Problem("link-dead", f"expected a file that is there, found {target!r}", file, link.line)


def _steps(content: Content, known: Known, file: str) -> Iterator[Problem]:
    for step in content.steps:
        if step.how is How.SHELL:
            wrong = syntax_of(step.language, step.body)
            if wrong is not None:
                line, said = wrong
                yield Problem("command", f"expected a script that parses: {said}", file, step.line + line)
        if step.how is How.ACTION and known.actions is not None and step.action not in known.actions:
            hint = _close(step.action, known.actions)
            yield Problem("action-unknown", f"expected an action, found {step.action!r}{hint}", file, step.line)
        for text in body_problems(step, content.inputs):
            yield Problem("step", f"expected {text}", file, step.line)
        if step.how is How.SHELL and not step.body.strip():
            yield Problem("command", "expected a script, found nothing", file, step.line)


def _review(content: Content, today: date, file: str) -> Iterator[Problem]:
    if content.reviewed_at is None:
        yield Problem("review-missing", "expected reviewed: the day when somebody last read it whole", file)
    elif content.reviewed_at > today:
        text = f"expected a day that has come, found {content.reviewed_at}"
        yield _at(content, file, "reviewed", "review-missing", text)
    elif content.next_review is not None and content.next_review < today:
        text = f"expected a review by {content.next_review}; the last was on {content.reviewed_at}"
        yield _at(content, file, "reviewed", "review-overdue", text, level="warning")


@lru_cache(maxsize=2_000)
def syntax_of(language: str, script: str) -> tuple[int, str] | None:
    """Line (from 1 in the script) and what is wrong, as the shell itself reads it without running anything."""
    shell = _shell("bash" if language == "bash" else "sh")
    if shell is None:
        return None
    try:
        # -n: commands are read and not run. The script comes by standard input, so nothing of it is an argument.
        asked = subprocess.run(  # noqa: S603  # nosec B603
            [shell, "-n"],
            input=script.encode("utf-8", "replace"),
            capture_output=True,
            env={"LC_ALL": "C"},
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    said = asked.stderr.decode("utf-8", "replace").strip()
    if asked.returncode == 0 and not said:
        return None
    first = said.splitlines()[0] if said else "it can't be read"
    words = first.replace("line ", "").split(": ")
    number = next((int(word) for word in words if word.isdigit()), 1)
    return number, words[-1][:200] if len(words) > 1 else first[:200]


@cache
def _shell(name: str) -> str | None:
    return shutil.which(name, path="/bin:/usr/bin:/usr/local/bin")


def unreadable(refusal: OpsInvalid) -> list[Problem]:
    """A file that can't be read, as problems: `file:line:column` is what the reader says."""
    found = []
    for one in refusal.complaints:
        file, line, column = one.where.rsplit(":", 2)
        found.append(Problem("unreadable", one.expected, file, int(line), int(column)))
    return found


def refused(complaints: Complaints) -> list[Problem]:
    """What was complained of, as problems."""
    try:
        complaints.refuse_if_any()
    except OpsInvalid as refusal:
        return unreadable(refusal)
    return []


def _at(content: Content, file: str, path: str, code: str, text: str, *, level: Level = "error") -> Problem:
    line, column = content.places.get(path) or content.places.get(path.partition(".")[0]) or (1, 1)
    return Problem(code, text, file, line, column, level)


def _one(path: str, name: str | None) -> list[tuple[str, str]]:
    return [(path, name)] if name else []


def _many(path: str, names: Iterable[str]) -> list[tuple[str, str]]:
    return [(f"{path}.{number}", name) for number, name in enumerate(names)]


def _close(name: str, there: Iterable[str]) -> str:
    found = difflib.get_close_matches(name, list(there), n=1)
    return f": did you mean {found[0]}?" if found else ""


def _either(one: frozenset[str] | None, other: frozenset[str] | None) -> frozenset[str] | None:
    return (one or frozenset()) | (other or frozenset()) if one is not None or other is not None else None
