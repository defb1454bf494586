"""What a module brings so that files describe its objects: one `OpsKind` for each kind of object."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any, Literal, Protocol, runtime_checkable

from pydantic import BaseModel
from sqlalchemy.orm import Session

from watchkeeper.kernel.journal import Subject
from watchkeeper.kernel.ops.documents import Complaints, Document, Located

Action = Literal["create", "update", "delete", "adopt", "unchanged"]


@dataclass(frozen=True)
class Change:
    """One object: what happens to it, and each field that differs as (before, after).

    `adopt` changes nothing that is said of the object: the files say it from now on. `drift` names the fields that
    were changed elsewhere since the files were last applied; applying sets them back.
    """

    action: Action
    kind: str
    name: str
    fields: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)
    where: str = ""
    note: str = ""
    drift: tuple[str, ...] = ()


@dataclass(frozen=True)
class Drifted:
    """An object that is not as the files said when they were last applied.

    `fields` are those that differ, as (what the files said, what it is now). `subject` is what facts about the object
    name; a fact's `after` with the field in it tells who changed it.
    """

    kind: str
    name: str
    since: datetime
    fields: Mapping[str, tuple[Any, Any]]
    subject: Subject
    href: str
    # Of a field whose facts have no `after` with its name: what else is in the data of the fact that changed it.
    told: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


class OpsKind(Protocol):
    """A kind of object that files describe: one module's part in plan, apply, export and drift.

    Its model has a field `name` (files may call it otherwise, by an alias), which is unique among the objects of the
    kind. Objects that were made from files are marked as managed by them, and only those are deleted when they leave
    the files.
    """

    @property
    def name(self) -> str:
        """Such as `service`."""
        ...

    @property
    def pattern(self) -> str:
        """Which files hold it, such as `services/*.yaml`, which means folders below `services/` too.

        Several patterns are divided by spaces; an export uses what fits the first.
        """
        ...

    @property
    def model(self) -> type[BaseModel]:
        """The shape of one document; its descriptions are the reference and the editors' schema."""
        ...

    @property
    def examples(self) -> Mapping[str, str]:
        """Path to text of files that teach how to write it; a plan of them is empty, so all in them is comments."""
        ...

    def plan(self, session: Session, desired: Sequence[Located[Any]], complaints: Complaints) -> list[Change]:
        """Compare with what is, changing nothing; complain of what fits its shape but not the rest."""
        ...

    def apply(self, session: Session, change: Change, desired: Any | None, *, by: str, at: datetime) -> None:
        """Make one change and its fact. `desired` is the model's instance; None for a deletion.

        Raises PlanOutdated when the object is not what the change starts from.
        """
        ...

    def export(self, session: Session) -> list[tuple[str, dict[str, Any]]]:
        """(path, document) of everything that people or files made, as it is now.

        A document holds plain values in the order of the model's fields, those left out that are as if never given. An
        object keeps its path whatever else there is; documents of one path become one file, in this order.
        """
        ...

    def drift(self, session: Session) -> list[Drifted]:
        """Objects that differ from what the files said last."""
        ...


@runtime_checkable
class ListedKind(OpsKind, Protocol):
    """A kind of which one document holds many objects, as a list. Kinds with one pattern share their files."""

    @property
    def listed_under(self) -> str:
        """The field of the document that holds the list, such as `parameters`."""
        ...


@runtime_checkable
class ReadingKind(OpsKind, Protocol):
    """A kind whose documents have several shapes, of a format that others made: it reads them itself.

    Its `model` is of any of them. An object of it is named in the files under `named_under`.
    """

    @property
    def named_under(self) -> tuple[str, ...]:
        """The path to the name in a document, such as `("metadata", "name")`."""
        ...

    def read(self, document: Document, complaints: Complaints) -> Iterable[Located[Any]]:
        """The objects of one document, each with `name` and `model_dump()`; what is wrong goes to `complaints`."""
        ...

    def name_of(self, document: Mapping[str, Any]) -> str:
        """The name of the object that a document of its own export describes, alone or with others."""
        ...

    def arranged(
        self, here: Sequence[Located[Any]], there: Sequence[Located[Any]]
    ) -> Iterable[tuple[str, Located[Any]]]:
        """What files that hold `here` should hold so that they say what `there`, an export, says: (file, entry).

        Entries of `here` that say so in other words stay as they are, and so does what they refer to.
        """
        ...


@runtime_checkable
class TextKind(OpsKind, Protocol):
    """A kind of which each file is one object and no YAML: the kind reads and writes the text itself."""

    def read_text(self, file: str, text: str, complaints: Complaints) -> Iterable[Located[Any]]:
        """The object of one file; what is wrong goes to `complaints`."""
        ...

    def write_text(self, document: Mapping[str, Any]) -> str:
        """The text of the file of a document of its own export."""
        ...


def fits(kind: OpsKind, file: str) -> bool:
    """Whether a file holds objects of this kind."""
    return any(fnmatchcase(file, pattern) for pattern in kind.pattern.split())


def name_path(kind: OpsKind) -> tuple[str, ...]:
    """Where a document of the kind has the object's name."""
    return kind.named_under if isinstance(kind, ReadingKind) else (name_field(kind.model),)


def name_in(kind: OpsKind, document: Mapping[str, Any]) -> str:
    """The name of the object that a document of an export describes."""
    return kind.name_of(document) if isinstance(kind, ReadingKind) else str(document[name_field(kind.model)])


def name_field(model: type[BaseModel]) -> str:
    """What the files call the name."""
    return model.model_fields["name"].alias or "name"
