"""From the text of a file to what it says, with the place of everything: front matter, sections, steps, links."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import cache, lru_cache
from typing import Any

import re2
from markdown_it import MarkdownIt
from markdown_it.token import Token

from watchkeeper.kernel.ops import Complaints, Document, Located, Position
from watchkeeper.kernel.ops.documents import check
from watchkeeper.kernel.ops.yaml_file import Budget, parse
from watchkeeper.modules.runbooks.info import read_info
from watchkeeper.modules.runbooks.model import (
    Confirmation,
    Content,
    Dashboard,
    Dependency,
    How,
    Input,
    Kind,
    Link,
    Metric,
    Section,
    Step,
)
from watchkeeper.modules.runbooks.wire import FrontMatter, RunbookFile

# What the template writes where somebody has to write something.
ASKED = "Fill in:"
LARGEST = 300_000
_FENCE = "---"
_BOX = re.compile(r"\[( |x|X)\]\s+(.+)", re.DOTALL)
# Bold words and a colon, with nothing after: what the template asks of an issue.
_LABEL = re.compile(r"(\*\*[^*]{1,40}(:\*\*|\*\*:)\s*)+")
# What no variable of a process can hold.
_NO_TEXT = re.compile("[\0\ud800-\udfff]")
_NAME = re.compile(r"[a-z0-9]([a-z0-9._-]{0,98}[a-z0-9])?")


@cache
def markdown() -> MarkdownIt:
    """CommonMark with tables; HTML in it is text."""
    return MarkdownIt("commonmark", {"html": False, "linkify": False}).enable(["table", "strikethrough"])


def revision_of(text: str) -> str:
    """The SHA-256 of a file's text, which an approval is bound to."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def slug(title: str) -> str:
    """The anchor of a heading, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", title.strip().lower()).replace(" ", "-")[:100]


def read_text(
    file: str, text: str, complaints: Complaints, budget: Budget | None = None
) -> tuple[Located[RunbookFile], Content] | None:
    """The file as an object of ops/ and what it says; what is wrong is added to `complaints`, where it stands."""
    name = file.rsplit("/", 1)[-1].removesuffix(".md")
    if len(text) > LARGEST:
        complaints.add(Position(file), f"a file of at most {LARGEST // 1_000} kB")
        return None
    if not _NAME.fullmatch(name):
        complaints.add(Position(file), "a name of small letters, digits, dots and dashes, such as shop.md")
        return None
    if "\0" in text:
        complaints.add(Position(file, text[: text.index("\0")].count("\n") + 1), "text without NUL characters")
        return None
    lines = text.removeprefix("\ufeff").splitlines()
    end = _end_of_front_matter(file, lines, complaints)
    if end is None:
        return None
    # The first of the dashes begins a YAML document: so lines are counted as in the file.
    documents = parse(file, "\n".join(lines[:end]) + "\n", complaints, budget)
    if not documents:
        # Of what is no YAML the reader has complained already.
        if all(not line.strip() or line.lstrip().startswith("#") for line in lines[1:end]):
            complaints.add(Position(file, 2), "front matter with the field title")
        return None
    front = check(documents[0], FrontMatter, complaints)
    if front is None:
        return None
    body = "\n" * (end + 1) + "\n".join(lines[end + 1 :])
    content = _content(name, text, front.value, documents[0], _Body(file, complaints).read(body))
    _complain(front, content, complaints)
    value = RunbookFile(name=name, text=text, **front.value.model_dump())
    places = {**documents[0].places, ("name",): Position(file), ("text",): Position(file)}
    whole = Document({"name": name, "text": text}, places, documents[0].keys)
    return Located(value, whole), content


@lru_cache(maxsize=512)
def content_of(name: str, text: str) -> Content:
    """What the text of a runbook that is kept says; one that this version can't read has a title and no more."""
    found = read_text(f"{name}.md", text, Complaints())
    if found is not None:
        return found[1]
    return Content(name=name, title=name, kind=Kind.SERVICE, revision=revision_of(text), text=text)


def _end_of_front_matter(file: str, lines: list[str], complaints: Complaints) -> int | None:
    if not lines or lines[0].rstrip() != _FENCE:
        complaints.add(Position(file), "front matter: a line with three dashes, fields such as title, three dashes")
        return None
    for number, line in enumerate(lines[1:], start=1):
        if line.rstrip() == _FENCE:
            return number
    complaints.add(Position(file, len(lines)), "a line with three dashes that ends the front matter")
    return None


def _content(name: str, text: str, front: FrontMatter, document: Document, body: _Body) -> Content:
    places = {".".join(map(str, path)): (at.line, at.column) for path, at in document.places.items() if path}
    keys = {".".join(map(str, path)): (at.line, at.column) for path, at in document.keys.items()}
    return Content(
        name=name,
        title=front.title,
        kind=front.kind,
        revision=revision_of(text),
        text=text,
        service=front.service,
        owners=tuple(front.owners),
        related=tuple(front.related),
        dependencies=tuple(Dependency(one.name, one.impact) for one in front.dependencies),
        alerts={alert: anchor.removeprefix("#") for alert, anchor in front.alerts.items()},
        external_alerts=tuple(front.external_alerts),
        parameters=tuple(front.parameters),
        dashboards=tuple(Dashboard(one.title, one.url) for one in front.dashboards),
        metrics=tuple(Metric(one.name, one.title) for one in front.metrics),
        reviewed_at=date.fromisoformat(front.reviewed) if front.reviewed else None,
        review_every=timedelta(days=front.review_every_days),
        inputs=tuple(Input(**{**one.model_dump(), "choices": tuple(one.choices)}) for one in front.inputs),
        sections=tuple(body.sections),
        steps=tuple(body.steps),
        links=tuple(body.links),
        places={**places, **{f"{path}!": at for path, at in keys.items()}},
    )


def _complain(front: Located[FrontMatter], content: Content, complaints: Complaints) -> None:
    """What fits its shape and still can't be."""
    if content.kind is Kind.SERVICE and not content.service:
        complaints.add(front.document.at, "the field service: a runbook of kind service is about one")
    if content.kind is Kind.ALERT and not content.alerts:
        complaints.add(front.document.at, "the field alerts: a runbook of kind alert is about at least one")
    seen: set[str] = set()
    for number, one in enumerate(content.inputs):
        at = front.document.place(("inputs", number, "name"))
        if one.name in seen:
            complaints.add(at, f"each input once, found {one.name!r} again")
        if (one.type.value == "choice") != bool(one.choices):
            complaints.add(at, f"choices for an input of type choice and for no other, at {one.name!r}")
        seen.add(one.name)


@dataclass
class _Body:
    """Walks through the tokens of a text and gathers what is of use."""

    file: str
    complaints: Complaints
    sections: list[Section] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    _anchors: set[str] = field(default_factory=set)
    _text: list[str] = field(default_factory=list)
    _filled: bool = False

    def read(self, text: str) -> _Body:
        tokens = markdown().parse(text)
        for number, token in enumerate(tokens):
            line = (token.map[0] if token.map else 0) + 1
            if token.type == "heading_open":
                self._heading(tokens[number + 1].content, int(token.tag[1]), line)
            elif token.type == "inline" and tokens[number - 1].type != "heading_open":
                self._inline(token, line, in_item=tokens[number - 2].type == "list_item_open")
            elif token.type in ("fence", "code_block"):
                self._block(token, line, text)
            self._gather_links(token, line)
        self._close()
        self._require_undo()
        return self

    def _heading(self, title: str, level: int, line: int) -> None:
        self._close()
        anchor, number = slug(title), 1
        while anchor in self._anchors:
            anchor, number = f"{slug(title)}-{number}", number + 1
        self._anchors.add(anchor)
        self.sections.append(Section(anchor, title, level, line, "", False))

    def _inline(self, token: Token, line: int, *, in_item: bool) -> None:
        self._text.append(token.content)
        plain = token.content.lstrip("_*> ")
        if (
            plain
            and not _LABEL.fullmatch(token.content)
            and not plain.startswith(ASKED)
            and not _BOX.fullmatch(plain + " ")
        ):
            self._filled = True
        box = _BOX.fullmatch(token.content) if in_item else None
        if box is not None and not box[2].lstrip("_*").startswith(ASKED):
            self._filled = True
            title = " ".join(box[2].split())[:300]
            key = f"check-{slug(title)[:40].strip('-') or line}"
            self._add(Step(key=key, title=title, how=How.MANUAL, section=self._section, line=line), line)

    def _block(self, token: Token, line: int, text: str) -> None:
        self._text.append(token.content)
        self._filled = self._filled or bool(token.content.strip())
        fields, wrong = read_info(token.info)
        # Where the info string begins in its line: after indentation and the fence's own characters.
        source = text.split("\n", line)[line - 1]
        offset = max(source.find(token.info.strip()), 0)
        for one in wrong:
            self.complaints.add(Position(self.file, line, offset + one.column), one.expected)
        if fields is None or "how" not in fields:
            return
        key = fields.pop("key", f"line-{line}")
        title = fields.pop("title") or self._title
        step = Step(key=key, title=title, section=self._section, line=line, body=token.content, **fields)
        self._add(step, line)

    def _add(self, step: Step, line: int) -> None:
        taken = next((one for one in self.steps if one.key == step.key), None)
        if taken is None:
            self.steps.append(step)
        elif step.how is How.MANUAL:
            self.steps.append(replace(step, key=f"{step.key}-{line}", confirm=Confirmation.NONE))
        else:
            self.complaints.add(
                Position(self.file, line), f"each id once, found {step.key!r}, also in line {taken.line}"
            )

    def _require_undo(self) -> None:
        keys = {one.key for one in self.steps}
        for one in self.steps:
            if one.undo is not None and (one.undo not in keys or one.undo == one.key):
                self.complaints.add(
                    Position(self.file, one.line), f"undo= the id of another step of this file, found {one.undo!r}"
                )

    def _gather_links(self, token: Token, line: int) -> None:
        for child in _with_children(token):
            target = child.attrGet("href") or child.attrGet("src") if child.type in ("link_open", "image") else None
            if target:
                self.links.append(Link(str(target), line))

    def _close(self) -> None:
        if self.sections:
            last = self.sections[-1]
            text = "\n".join(self._text)
            self.sections[-1] = replace(last, text=text, filled=self._filled and ASKED not in text)
        self._text, self._filled = [], False

    @property
    def _section(self) -> str:
        """The nearest heading that is no detail of another: its steps are run together."""
        around = next((one for one in reversed(self.sections) if one.level <= 3), None)
        last = around or (self.sections[-1] if self.sections else None)
        return last.anchor if last else ""

    @property
    def _title(self) -> str:
        return self.sections[-1].title if self.sections else "Step"


def _with_children(token: Token) -> Iterator[Token]:
    yield token
    yield from token.children or ()


def value_of(said: Mapping[str, Any], one: Input) -> Any:
    """The value of an input as somebody gave it, or as the file says. Raises ValueError with what was expected."""
    value = said.get(one.name)
    if value is None or (isinstance(value, str) and value == "" and one.type.value != "text"):
        value = one.default
    if value is None or value == "":
        if one.required:
            raise ValueError("a value")
        return None
    return _typed(value, one)


def _typed(value: Any, one: Input) -> Any:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    if len(text) > 2_000 or _NO_TEXT.search(text):
        raise ValueError("at most 2,000 characters, and no NUL or half of a character")
    if one.type.value == "integer":
        if not re.fullmatch(r"[+-]?\d{1,18}", text):
            raise ValueError("a whole number")
        return int(text)
    if one.type.value == "number":
        if not re.fullmatch(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?", text):
            raise ValueError("a number")
        return float(text)
    if one.type.value == "boolean":
        if text not in ("true", "false"):
            raise ValueError("true or false")
        return text == "true"
    if one.choices and text not in one.choices:
        raise ValueError(f"one of {', '.join(one.choices)}")
    if one.pattern and not re2.fullmatch(one.pattern, text):
        raise ValueError(f"text that {one.pattern} fits")
    return text
