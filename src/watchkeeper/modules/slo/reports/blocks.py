"""What a document is made of: headings, sentences, bars, steps and tables. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

Tone = Literal["ok", "warning", "danger", "muted"]


@dataclass(frozen=True)
class Heading:
    """1 is the document, 2 an SLO, 3 a part of it."""

    kind: ClassVar[str] = "heading"

    text: str
    level: Literal[1, 2, 3]
    anchor: str = ""


@dataclass(frozen=True)
class Words:
    """A paragraph; with a tone it is a note."""

    kind: ClassVar[str] = "words"

    text: str
    tone: Tone | None = None


@dataclass(frozen=True)
class Bar:
    """What is left of a budget, 0..1, with its words."""

    kind: ClassVar[str] = "bar"

    share: float
    text: str
    tone: Tone


@dataclass(frozen=True)
class Steps:
    """Arithmetic, one step a line."""

    kind: ClassVar[str] = "steps"

    lines: tuple[str, ...]


@dataclass(frozen=True)
class Sheet:
    """A table; `right` are the columns of numbers, `links` addresses of rows' first cells."""

    kind: ClassVar[str] = "sheet"

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    right: frozenset[int] = frozenset()
    links: tuple[str, ...] = ()


Block = Heading | Words | Bar | Steps | Sheet
