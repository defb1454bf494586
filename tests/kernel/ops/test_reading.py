"""A kind that reads a format of others by itself: entries that refer to each other, names deep in the documents."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pytest
from pydantic import BaseModel, RootModel
from sqlalchemy.orm import Session

from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.ops import (
    Change,
    Complaints,
    Document,
    Drifted,
    Located,
    OpsInvalid,
    export_files,
    json_schema,
    read_files,
)
from watchkeeper.kernel.ops.kind import OpsKind, ReadingKind, name_in, name_path
from watchkeeper.kernel.ops.layout import arrange


class NoteFile(RootModel[dict[str, Any]]):
    """A note."""


@dataclass(frozen=True)
class Note:
    name: str
    text: str

    def model_dump(self) -> dict[str, Any]:
        return {"text": self.text}


@dataclass
class Notes:
    """Notes of which one document may hold several: `about: {name: …}` and `text`, or `texts`."""

    name: str = "note"
    pattern: str = "notes/*.yaml"
    model: type[BaseModel] = NoteFile
    examples: Mapping[str, str] = field(default_factory=dict)
    named_under: tuple[str, ...] = ("about", "name")
    kept: Mapping[str, str] = field(default_factory=dict)

    def read(self, document: Document, complaints: Complaints) -> Iterable[Located[Any]]:
        if "texts" in document.value:
            for name, text in document.value["texts"].items():
                yield Located[Any](Note(name, text), document)
        elif "about" in document.value:
            yield Located[Any](Note(document.value["about"]["name"], document.value["text"]), document)
        else:
            complaints.add(document.at, "about or texts")

    def name_of(self, document: Mapping[str, Any]) -> str:
        return str(document["about"]["name"])

    def arranged(
        self, here: Sequence[Located[Any]], there: Sequence[Located[Any]]
    ) -> Iterable[tuple[str, Located[Any]]]:
        same = {one.value for one in here} & {one.value for one in there}
        yield from ((one.document.at.file, one) for one in here if one.value in same)
        yield from ((one.document.at.file, one) for one in there if one.value not in same)

    def plan(self, session: Session, desired: Sequence[Located[Any]], complaints: Complaints) -> list[Change]:
        return []

    def apply(self, session: Session, change: Change, desired: Any | None, *, by: str, at: datetime) -> None:
        return

    def export(self, session: Session) -> list[tuple[str, dict[str, Any]]]:
        return [("notes/all.yaml", {"about": {"name": name}, "text": text}) for name, text in self.kept.items()]

    def drift(self, session: Session) -> list[Drifted]:
        return []


def test_one_document_may_hold_several_objects() -> None:
    files = {"notes/a.yaml": "texts: {one: x, two: y}\n---\nabout: {name: three}\ntext: z\n"}
    assert [one.value.name for one in read_files(files, [Notes()]).objects["note"]] == ["one", "two", "three"]


def test_a_name_that_is_there_twice_is_refused_where_the_format_has_it() -> None:
    one = "about:\n  name: x\ntext: a\n"
    with pytest.raises(OpsInvalid) as refused:
        read_files({"notes/a.yaml": one, "notes/b.yaml": f"{{}}\n---\n{one}"}, [Notes()])
    assert [f"{wrong.where}: {wrong.expected}" for wrong in refused.value.complaints] == [
        "notes/b.yaml:1:1: expected about or texts",
        "notes/b.yaml:4:9: expected each name once, found 'x', which is also at notes/a.yaml:2:9",
    ]


def test_an_export_names_its_objects_as_the_format_does(database: Database) -> None:
    kind: OpsKind = Notes(kept={"x": "a", "y": "b"})
    assert isinstance(kind, ReadingKind)
    with database.read() as session:
        assert [name_in(kind, document) for _, document in kind.export(session)] == ["x", "y"]
        exported = export_files(session, [kind]).files
    assert name_path(kind) == ("about", "name")
    assert [one.value for one in read_files(exported, [kind]).objects["note"]] == [Note("x", "a"), Note("y", "b")]
    assert json_schema(kind)["type"] == "object"


def test_the_kind_says_which_documents_stay_in_a_directory(database: Database) -> None:
    kind = Notes(kept={"x": "a", "y": "new"})
    with database.read() as session:
        exported = export_files(session, [kind]).files
    existing = {"notes/a.yaml": "about: {name: x} # mine\ntext: a\n", "notes/y.yaml": "about: {name: y}\ntext: b\n"}
    found = arrange(existing, exported, [kind])
    assert (found.same, found.removed, list(found.new)) == (("notes/a.yaml",), ("notes/y.yaml",), ["notes/all.yaml"])
