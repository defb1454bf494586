"""Reading YAML that strangers may have written: one pass over events, bounded in size, depth and count.

The values are those of YAML 1.2's core schema: `no` and `09:00` and `2026-03-29` are text, as everybody expects.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from watchkeeper.kernel.ops.documents import Complaints, Document, Path, Position

LARGEST_FILE = 1_000_000
MOST_DOCUMENTS = 1_000
DEEPEST = 30
MOST_VALUES = 50_000
MOST_VALUES_IN_ALL = 100_000

# libyaml is thirty times faster; the other one is always there.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NULL = re.compile(r"~|null|Null|NULL|")
_BOOL = re.compile(r"true|True|TRUE|false|False|FALSE")
_INT = re.compile(r"[-+]?[0-9]{1,18}")
_OTHER_INT = re.compile(r"0o[0-7]{1,20}|0x[0-9a-fA-F]{1,15}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_ODD_FLOAT = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_TAG = "tag:yaml.org,2002:"
_TAGS = {None, "!", f"{_TAG}str", f"{_TAG}map", f"{_TAG}seq"}


class _Refused(Exception):
    def __init__(self, at: Position, expected: str) -> None:
        super().__init__(expected)
        self.at = at
        self.expected = expected


@dataclass
class Budget:
    """How many values may still be read in all files together: reading takes a machine's time, about 10 µs each."""

    values: int = MOST_VALUES_IN_ALL


def parse(file: str, text: str, complaints: Complaints, budget: Budget | None = None) -> list[Document]:
    """The YAML documents of a file; empty ones are left out. What is wrong is added to `complaints`."""
    if len(text) > LARGEST_FILE or len(text.encode("utf-8", "surrogatepass")) > LARGEST_FILE:
        complaints.add(Position(file), f"a file of at most {LARGEST_FILE // 1_000_000} MB")
        return []
    try:
        documents: list[Document] = []
        for document in _documents(file, text.removeprefix("\ufeff"), complaints, budget or Budget()):
            if len(documents) >= MOST_DOCUMENTS:
                raise _Refused(document.at, f"at most {MOST_DOCUMENTS} documents in a file")
            documents.append(document)
        return documents
    except _Refused as refused:
        complaints.add(refused.at, refused.expected)
    except yaml.MarkedYAMLError as error:
        complaints.add(*_syntax(file, text, error))
    except yaml.reader.ReaderError as error:
        complaints.add(
            _at_index(file, text, error.position), f"printable text, found the character {error.character!r}"
        )
    except UnicodeEncodeError as error:
        complaints.add(_at_index(file, text, error.start), "text in UTF-8")
    return []


def _documents(file: str, text: str, complaints: Complaints, budget: Budget) -> Iterator[Document]:
    builder: _Builder | None = None
    for values, event in enumerate(yaml.parse(text, Loader=_LOADER)):
        if event.start_mark is None:
            continue
        at = Position(file, event.start_mark.line + 1, event.start_mark.column + 1)
        budget.values -= 1
        if values > MOST_VALUES:
            raise _Refused(at, f"at most {MOST_VALUES:,} values in a file")
        if budget.values < 0:
            raise _Refused(at, f"at most {MOST_VALUES_IN_ALL:,} values in all files")
        if isinstance(event, yaml.DocumentStartEvent):
            builder = _Builder(complaints)
        elif isinstance(event, yaml.DocumentEndEvent) and builder is not None:
            if builder.value is not None:
                yield Document(builder.value, builder.places, builder.keys)
            builder = None
        elif builder is not None:
            builder.take(event, at)


@dataclass
class _Open:
    """A mapping or a list whose end has not come yet."""

    value: dict[str, Any] | list[Any]
    path: Path
    key: str | None = None
    key_at: Position | None = None
    # The value after a repeated key is read and thrown away.
    ignored: bool = False


@dataclass
class _Builder:
    complaints: Complaints
    value: Any = None
    places: dict[Path, Position] = field(default_factory=dict)
    keys: dict[Path, Position] = field(default_factory=dict)
    open: list[_Open] = field(default_factory=list)

    def take(self, event: Any, at: Position) -> None:
        """One event of the document."""
        if isinstance(event, yaml.AliasEvent):
            # Ten lines of them can name a billion values, and none of our files needs one.
            raise _Refused(at, f"the value itself, found the alias *{event.anchor}")
        if isinstance(event, yaml.CollectionEndEvent):
            self.open.pop()
            return
        if event.tag not in _TAGS:
            raise _Refused(at, f"plain YAML, found the tag {event.tag[:80]}")
        if isinstance(event, yaml.ScalarEvent):
            self._scalar(event, at)
        else:
            self._collection({} if isinstance(event, yaml.MappingStartEvent) else [], at)

    def _scalar(self, event: Any, at: Position) -> None:
        around = self.open[-1] if self.open else None
        if around is not None and isinstance(around.value, dict) and around.key is None:
            self._key(around, event.value, at)
            return
        # implicit[0]: not quoted, no block, no tag.
        self._place(plain_value(event.value) if event.implicit[0] else event.value, at)

    def _key(self, around: _Open, name: str, at: Position) -> None:
        around.key, around.key_at = name, at
        around.ignored = name in around.value
        if around.ignored:
            self.complaints.add(at, f"each field once, found {name!r} again")

    def _collection(self, value: dict[str, Any] | list[Any], at: Position) -> None:
        if len(self.open) >= DEEPEST:
            raise _Refused(at, f"at most {DEEPEST} levels")
        around = self.open[-1] if self.open else None
        if around is not None and isinstance(around.value, dict) and around.key is None:
            raise _Refused(at, "a plain name as key")
        self.open.append(_Open(value, self._place(value, at)))

    def _place(self, value: Any, at: Position) -> Path:
        """Put a value where it belongs and answer its path."""
        if not self.open:
            self.value = value
            path: Path = ()
        else:
            around = self.open[-1]
            if isinstance(around.value, list):
                path = (*around.path, len(around.value))
                around.value.append(value)
            else:
                path = (*around.path, around.key)
                if not around.ignored:
                    around.value[str(around.key)] = value
                    self.keys[path] = around.key_at or at
                around.key = None
        self.places.setdefault(path, at)
        return path


def plain_value(text: str) -> Any:
    """What an unquoted scalar means in YAML 1.2's core schema."""
    if _NULL.fullmatch(text):
        return None
    if _BOOL.fullmatch(text):
        return text.lower() == "true"
    if _INT.fullmatch(text):
        return int(text)
    if _OTHER_INT.fullmatch(text):
        return int(text, 0)
    if _FLOAT.fullmatch(text):
        number = float(text)
        return number if math.isfinite(number) else text
    return float(text.replace(".", "")) if _ODD_FLOAT.fullmatch(text) else text


def _syntax(file: str, text: str, error: yaml.MarkedYAMLError) -> tuple[Position, str]:
    mark = error.problem_mark or error.context_mark
    at = Position(file, mark.line + 1, mark.column + 1) if mark else Position(file)
    if mark and text.removeprefix("\ufeff")[mark.index : mark.index + 1] == "\t":
        return at, "spaces, found a tab"
    problem = error.problem or error.context or "it can't be read"
    return at, f"valid YAML: {problem}{f' {error.context}' if error.context and error.problem else ''}"


def _at_index(file: str, text: str, index: int) -> Position:
    before = text[:index]
    return Position(file, before.count("\n") + 1, index - (before.rfind("\n") + 1) + 1)
