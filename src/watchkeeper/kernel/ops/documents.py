"""YAML files with positions: every complaint says in which file, line and column, and what was expected."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

from pydantic import BaseModel, ValidationError

from watchkeeper.kernel.errors import Complaint, Invalid

ModelT = TypeVar("ModelT", bound=BaseModel)
Path = tuple[Any, ...]

_MOST_COMPLAINTS = 200
_LONGEST_SHOWN = 40


class OpsInvalid(Invalid):
    """Some file is wrong; nothing was changed."""

    code = "kernel.ops_invalid"
    title = "The files are not valid"


class Position(NamedTuple):
    """A place in a file; lines and columns count from 1."""

    file: str
    line: int = 1
    column: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True)
class Document:
    """One YAML document: its plain value, and where each value and each key of it stands."""

    value: Any
    places: Mapping[Path, Position]
    keys: Mapping[Path, Position]

    @property
    def at(self) -> Position:
        return self.places[()]

    def place(self, path: Path) -> Position:
        """Where the value at this path stands, or the nearest thing around it that is in the file."""
        while path not in self.places:
            path = path[:-1]
        return self.places[path]

    def key(self, path: Path) -> Position:
        """Where the key of this path stands; the value's place where it has none."""
        return self.keys.get(path) or self.place(path)


@dataclass(frozen=True)
class Located(Generic[ModelT]):
    """A checked object and the document it came from."""

    value: ModelT
    document: Document


class Complaints:
    """Collects what is wrong, so that one run names all of it. Each text says what was expected.

    `named` are the names of all objects in the files by kind: what will be there once they are applied.
    """

    def __init__(self, named: Mapping[str, frozenset[str]] | None = None) -> None:
        self.named = named or {}
        self._found: list[tuple[Position, str]] = []

    def add(self, at: Position, expected: str) -> None:
        """`expected` reads after the word: `one of 1, 2, 3 or 4`."""
        self._found.append((at, f"expected {expected}"))

    def refuse_if_any(self) -> None:
        """Raise OpsInvalid with every complaint, in the order of files and lines."""
        if not self._found:
            return
        ordered = sorted(self._found, key=lambda one: (one[0].file, one[0].line, one[0].column, one[1]))
        count = "is one mistake" if len(ordered) == 1 else f"are {len(ordered)} mistakes"
        raise OpsInvalid(
            f"There {count} in the files; nothing was changed.",
            complaints=[Complaint(str(at), text) for at, text in ordered[:_MOST_COMPLAINTS]],
        )


def check(document: Document, model: type[ModelT], complaints: Complaints) -> Located[ModelT] | None:
    """The document as `model`; every field that does not fit is added to `complaints`, where it stands."""
    if not isinstance(document.value, dict):
        complaints.add(document.at, f"fields such as {_field_names(model)}, found {_shown(document.value)}")
        return None
    try:
        return Located(model.model_validate(document.value), document)
    except ValidationError as error:
        for problem in error.errors():
            path = tuple(problem["loc"])
            if problem["type"] == "extra_forbidden":
                complaints.add(document.key(path), _no_such_field(model, path))
            elif problem["type"] == "missing":
                complaints.add(document.place(path), f"the field {_dotted(path)}")
            elif problem["type"] in ("model_type", "dict_type"):
                names = ", ".join(_names_beside(model, (*path, "")))
                fields = f"fields such as {names}" if names else "fields"
                complaints.add(document.place(path), f"{fields} for {_dotted(path)}, found {_shown(problem['input'])}")
            else:
                text, also, advice = _expected(problem["msg"]).partition("; ")
                found = f"for {_dotted(path)}, found {_shown(problem['input'])}"
                complaints.add(document.place(path), f"{text} {found}{also}{advice}")
        return None


def _expected(message: str) -> str:
    """Pydantic's message as what follows the word "expected"."""
    message = message.replace(", was expected", "").replace(" was expected", "")
    for start in ("Input should be ", "Value error, ", "Assertion failed, "):
        if message.startswith(start):
            message = message.removeprefix(start)
            return message.replace("greater than or equal to", "at least").replace("less than or equal to", "at most")
    for start, instead in (("String should ", "text that should "), ("List should ", "a list that should ")):
        if message.startswith(start):
            return instead + message.removeprefix(start)
    return message[0].lower() + message[1:]


def _no_such_field(model: type[BaseModel], path: Path) -> str:
    beside = _names_beside(model, path)
    close = difflib.get_close_matches(str(path[-1]), beside, n=1)
    hint = f": did you mean {close[0]}?" if close else ""
    known = f"one of {', '.join(beside)}" if beside else "no such field"
    return f"{known}, found {_shown(path[-1])}{hint}"


def _names_beside(model: type[BaseModel], path: Path) -> list[str]:
    """The fields that are known where this path's last step stands."""
    shape: Any = model
    for step in path[:-1]:
        if isinstance(step, str):
            if not _is_model(shape) or step not in shape.model_fields:
                return []
            shape = shape.model_fields[step].annotation
        shape = _model_within(shape)
    return sorted(_labels(shape)) if _is_model(shape) else []


def _labels(model: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]


def _is_model(shape: Any) -> bool:
    return isinstance(shape, type) and issubclass(shape, BaseModel)


def _model_within(shape: Any) -> Any:
    """The model in `list[Model]` or `Model | None`."""
    if _is_model(shape):
        return shape
    return next((found for one in getattr(shape, "__args__", ()) if _is_model(found := _model_within(one))), None)


def _field_names(model: type[BaseModel]) -> str:
    return ", ".join(_labels(model)[:4])


def _dotted(path: Path) -> str:
    return ".".join(str(part) for part in path) or "the document"


def _shown(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return "fields"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, (bool, int, float)):
        return str(value).lower()
    text = " ".join(str(value).split())
    return repr(text if len(text) <= _LONGEST_SHOWN else text[: _LONGEST_SHOWN - 1] + "…")
