"""What is wrong with a runbook that can be read: sections, links, names, commands, and when it was last read whole."""

from __future__ import annotations

import difflib
import re
import shutil
import subprocess  # nosec B404 (a shell is asked to read a script, never to run it)
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cache, lru_cache
from typing import Literal, Protocol
from urllib.parse import parse_qs, unquote, urlsplit

from sqlalchemy.orm import Session

from watchkeeper.kernel.ops import Complaints, OpsInvalid
from watchkeeper.modules.runbooks.blocks import body_problems
from watchkeeper.modules.runbooks.model import Content, How
from watchkeeper.modules.runbooks.template import SECTIONS

Level = Literal["error", "warning"]
_SECONDS = 5
_SCHEMES = ("https:", "http:", "mailto:")
# What an issue says of itself, where it says any of it.
_ISSUES = "common-issues"
_PARTS = ("Symptoms", "Diagnosis", "Resolution", "Prevention")
# Objectives and heartbeats are called so; alerts of Prometheus hardly ever are.
_OWN_NAME = re.compile(r"[a-z0-9]+([.-][a-z0-9]+)+")
_VERY_CLOSE = 0.8


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
    objectives: frozenset[str] | None = None
    parameters: frozenset[str] | None = None
    runbooks: frozenset[str] | None = None
    actions: frozenset[str] | None = None
    # Of runbooks whose text is at hand: name to the anchors of its sections.
    anchors: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def with_more(self, other: Known) -> Known:
        """What either knows."""
        names = ("services", "owners", "alerts", "objectives", "parameters", "runbooks", "actions")
        more = {name: _either(getattr(self, name), getattr(other, name)) for name in names}
        return Known(**more, anchors={**other.anchors, **self.anchors})


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
        *_issues(content, file),
        *_alerts(content, known, file),
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


def _issues(content: Content, file: str) -> Iterator[Problem]:
    """An issue that says how to see it and not what ends it helps nobody."""
    inside = False
    for one in content.sections:
        if one.level <= 2:
            inside = one.anchor == _ISSUES
        elif inside:
            said = {part: _said_of(part, one.text) for part in _PARTS}
            missing = [part for part, words in said.items() if not words]
            if any(words is not None for words in said.values()) and missing:
                text = f"expected {', '.join(missing).lower()} of {one.title!r}, such as **{missing[0]}:** …"
                yield Problem("issue-incomplete", text, file, one.line)


def _said_of(part: str, text: str) -> str | None:
    """What stands after a label such as **Symptoms:**, as far as the next one; None without the label."""
    found = re.search(rf"\*\*{part}(?::\*\*|\*\*:)(.*?)(?=\*\*(?:{'|'.join(_PARTS)})|\Z)", text, re.DOTALL | re.I)
    return found[1].strip() if found else None


def _alerts(content: Content, known: Known, file: str) -> Iterator[Problem]:
    """Names of alerts. What only another system knows can't be told from a slip of the pen: that is a warning."""
    for name in content.external_alerts:
        if name not in content.alerts:
            text = f"expected one of alerts, found {name!r}{_close(name, content.alerts)}"
            yield _at(content, file, "external_alerts", "alert-unknown", text)
    there = {one.casefold() for one in known.alerts or ()}
    for name in content.alerts if known.alerts is not None else ():
        if name.casefold() in there or name in content.external_alerts:
            continue
        if _OWN_NAME.fullmatch(name) or difflib.get_close_matches(name, known.alerts or (), n=1, cutoff=_VERY_CLOSE):
            hint = _close(name, known.alerts or ()) or "; one of another system stands in external_alerts, too"
            text = f"expected an objective, a heartbeat or an alert that is known, found {name!r}{hint}"
            yield _at(content, file, f"alerts.{name}!", "alert-unknown", text)
        else:
            text = (
                f"no objective or heartbeat is called {name!r}, and no such alert came in yet: if another system "
                "raises it, name it in external_alerts, too; else it is misspelt"
            )
            yield _at(content, file, f"alerts.{name}!", "alert-unseen", text, level="warning")


def _names(content: Content, known: Known, file: str) -> Iterator[Problem]:
    each: tuple[tuple[str, str, Iterable[tuple[str, str]], frozenset[str] | None], ...] = (
        ("service-unknown", "a service of the catalog", _one("service", content.service), known.services),
        ("owner-unknown", "a team or person", _many("owners", content.owners), known.owners),
        ("service-unknown", "a service of the catalog", _many("related", content.related), known.services),
        ("objective-unknown", "the name of an objective", _objectives(content), known.objectives),
        ("parameter-unknown", "a configuration key", _many("parameters", content.parameters), known.parameters),
    )
    for code, expected, names, there in each:
        for path, name in names:
            if there is not None and name.casefold() not in {one.casefold() for one in there}:
                yield _at(content, file, path, code, f"expected {expected}, found {name!r}{_close(name, there)}")


def _links(content: Content, known: Known, file: str, is_there: Callable[[str], bool] | None) -> Iterator[Problem]:
    anchors = {one.anchor for one in content.sections}
    for link in content.links:
        wrong = _wrong_link(link.target, anchors, known, is_there)
        if wrong is not None:
            yield Problem("link-dead", wrong, file, link.line)
    for number, one in enumerate(content.dashboards):
        wrong = _wrong_page(one.url, known)
        if wrong is not None:
            yield _at(content, file, f"dashboards.{number}.url", "link-dead", wrong)


def _wrong_link(link: str, anchors: Iterable[str], known: Known, is_there: Callable[[str], bool] | None) -> str | None:
    """What is wrong with a link; whether an address of the web answers is for nobody to say who only reads."""
    target, _, anchor = unquote(link).partition("#")
    if target.startswith(_SCHEMES):
        return None
    if target.startswith("/"):
        return _wrong_page(link, known)
    if not target:
        return _wrong_anchor(anchor, anchors, "a section")
    if target.endswith(".md") and "/" not in target:
        name = target.removesuffix(".md")
        alive = is_there(target) if is_there is not None else known.runbooks is None or name in known.runbooks
        if not alive:
            return f"expected a runbook beside this one, found {target!r}"
        if anchor and name in known.anchors:
            return _wrong_anchor(anchor, known.anchors[name], f"a section of {target}")
        return None
    alive = is_there is None or is_there(target)
    return None if alive else f"expected a file that is there, found {target!r}"


def _wrong_anchor(anchor: str, anchors: Iterable[str], of: str) -> str | None:
    return None if anchor in anchors else f"expected the anchor of {of}, found #{anchor}{_close(anchor, anchors)}"


def _wrong_page(target: str, known: Known) -> str | None:
    """What is wrong with a page of the console; of most of them it is not for a file to say."""
    if not target.startswith("/"):
        return None
    parts = urlsplit(target)
    _, kind, *rest = unquote(parts.path).rstrip("/").split("/")
    if kind == "runbooks" and rest and known.runbooks is not None and rest[0] not in known.runbooks:
        return f"expected the page of a runbook, found {target!r}{_close(rest[0], known.runbooks)}"
    if known.services is None:
        return None
    named = parse_qs(parts.query).get("service", [])
    if kind == "services" and rest and not any("/".join(rest[:end]) in known.services for end in range(len(rest) + 1)):
        named = ["/".join(rest)]
    wrong = next((one for one in named if one not in known.services), None)
    return f"expected a page of a service of the catalog, found {target!r}" if wrong is not None else None


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


def _objectives(content: Content) -> list[tuple[str, str]]:
    named = ((number, one.name) for number, one in enumerate(content.metrics))
    return [(f"metrics.{number}.name", name.removeprefix("slo:")) for number, name in named if name.startswith("slo:")]


def _one(path: str, name: str | None) -> list[tuple[str, str]]:
    return [(path, name)] if name else []


def _many(path: str, names: Iterable[str]) -> list[tuple[str, str]]:
    return [(f"{path}.{number}", name) for number, name in enumerate(names)]


def _close(name: str, there: Iterable[str]) -> str:
    found = difflib.get_close_matches(name, list(there), n=1)
    return f": did you mean {found[0]}?" if found else ""


def _either(one: frozenset[str] | None, other: frozenset[str] | None) -> frozenset[str] | None:
    return (one or frozenset()) | (other or frozenset()) if one is not None or other is not None else None
