"""Many objects in one document, of two kinds that share their files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.ops import Change, Complaints, Drifted, Located, OpsInvalid, OpsKind, export_files, read_files
from watchkeeper.kernel.ops.layout import arrange
from watchkeeper.kernel.ops.listed import families
from watchkeeper.kernel.ops.schema import json_schemas
from watchkeeper.kernel.web.wire import StrictModel


class KeyFile(StrictModel):
    """A key."""

    name: str = Field(alias="key", max_length=8, description="What is on it.")
    teeth: int = Field(1, description="How many.")


class DoorFile(StrictModel):
    """A door."""

    name: str = Field(description="Where it is.")


@dataclass
class Objects:
    """Objects in a list; nothing is ever there yet."""

    name: str
    listed_under: str
    model: type[BaseModel]
    pattern: str = "house.yaml house/*.yaml"
    examples: Mapping[str, str] = field(default_factory=dict)
    kept: tuple[dict[str, Any], ...] = ()

    def plan(self, session: Session, desired: Sequence[Located[Any]], complaints: Complaints) -> list[Change]:
        return []

    def apply(self, session: Session, change: Change, desired: Any | None, *, by: str, at: datetime) -> None:
        return

    def export(self, session: Session) -> list[tuple[str, dict[str, Any]]]:
        return [("house.yaml", one) for one in self.kept]

    def drift(self, session: Session) -> list[Drifted]:
        return []


def _house(keys: Sequence[dict[str, Any]] = (), doors: Sequence[dict[str, Any]] = ()) -> list[OpsKind]:
    return [Objects("door", "doors", DoorFile, kept=tuple(doors)), Objects("key", "keys", KeyFile, kept=tuple(keys))]


def _complaints(text: str) -> list[str]:
    with pytest.raises(OpsInvalid) as refused:
        read_files({"house.yaml": text}, _house())
    return [f"{one.where}: {one.expected}" for one in refused.value.complaints]


def test_every_item_of_every_list_is_an_object_with_its_place() -> None:
    text = "doors:\n- front\n- {name: back}\nkeys:\n- key: brass\n  teeth: 4\n"
    found = read_files({"house.yaml": text, "house/more.yaml": "keys: [iron]\n"}, _house()).objects
    assert [(one.value.name, str(one.document.at)) for one in found["door"]] == [
        ("front", "house.yaml:2:3"),
        ("back", "house.yaml:3:3"),
    ]
    assert [(one.value.name, one.value.teeth) for one in found["key"]] == [("brass", 4), ("iron", 1)]
    assert str(found["key"][0].document.place(("teeth",))) == "house.yaml:6:10"
    assert str(found["key"][0].document.key(("teeth",))) == "house.yaml:6:3"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("keys:\n- key: brass\n  teeth: many\n", "house.yaml:3:10: expected a valid integer"),
        ("keys:\n- key: brass\n  teth: 4\n", "house.yaml:3:3: expected one of key, teeth, found 'teth': did you mean"),
        ("keys:\n- teeth: 4\n", "house.yaml:2:3: expected the field key"),
        ("keys:\n- key: brass\n- key: brass\n", "house.yaml:3:8: expected each key once, found 'brass', which is also"),
        ("keys:\n- far_too_long\n", "house.yaml:2:3: expected text that should have at most 8"),
        ("keys:\n- 7\n", "house.yaml:2:3: expected fields such as key, teeth, found 7"),
        ("keys: brass\n", "house.yaml:1:7: expected a list under keys"),
        ("windows:\n- big\n", "house.yaml:1:1: expected one of doors, keys, found 'windows'"),
        ("- brass\n", "house.yaml:1:1: expected the field doors or keys with a list"),
    ],
)
def test_a_mistake_in_an_item_is_told_where_it_stands(text: str, complaint: str) -> None:
    (found,) = _complaints(text)
    assert found.startswith(complaint)


def test_an_empty_list_and_an_empty_document_hold_nothing() -> None:
    found = read_files({"house.yaml": "keys:\ndoors: []\n---\n"}, _house())
    assert [*found.objects.values()] == [[], []]


@given(st.dictionaries(st.text("abc", min_size=1, max_size=4), st.integers(0, 9), max_size=6))
def test_what_is_written_reads_back(teeth: dict[str, int]) -> None:
    keys = [{"key": name, "teeth": number} for name, number in teeth.items()]
    kinds = _house(keys, [{"name": "front"}])
    exported = export_files(None, kinds)  # type: ignore[arg-type]
    found = read_files(exported.files, kinds).objects
    assert [one.document.value for one in found["key"]] == keys
    assert [one.value.name for one in found["door"]] == ["front"]


def test_an_export_leaves_each_object_in_its_file_and_adds_to_the_first(database: Database) -> None:
    kinds = _house([{"key": "brass"}, {"key": "iron", "teeth": 3}], [{"name": "front"}])
    existing = {"house/cellar.yaml": "# rusty\nkeys:\n- key: iron\n  teeth: 2\n"}
    with database.read() as session:
        arranged = arrange(existing, export_files(session, kinds).files, kinds)
    line = "# yaml-language-server: $schema={}.schemas/house.schema.json\n"
    assert arranged.new == {"house.yaml": line.format("") + "doors:\n  - name: front\nkeys:\n  - key: brass\n"}
    assert arranged.changed == {"house/cellar.yaml": line.format("../") + "keys:\n  - key: iron\n    teeth: 3\n"}


def test_kinds_that_share_files_share_a_schema_that_editors_understand() -> None:
    ((name, schema),) = json_schemas(_house()).items()
    assert (name, schema["title"]) == ("house.schema.json", "Watchkeeper door and key")
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate({"doors": ["front"], "keys": [{"key": "brass", "teeth": 2}]}, schema)
    hostile: tuple[dict[str, Any], ...] = ({"keys": [{"key": "brass", "teth": 2}]}, {"windows": []}, {"keys": [7]})
    for wrong in hostile:
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, schema)


def test_a_kind_with_documents_of_its_own_shares_no_files() -> None:
    @dataclass
    class Lamps:
        name: str = "lamp"
        pattern: str = "house.yaml house/*.yaml"

    assert [len(family) for family in families([*_house(), Lamps()])] == [2, 1]  # type: ignore[list-item]
