"""Plan and apply, with a kind of its own that keeps lamps in a table of facts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pytest
from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from tests.conftest import NOON
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.journal import FactFilter, describe_fact, read_facts
from watchkeeper.kernel.ops import (
    Change,
    Complaints,
    Drifted,
    Located,
    OpsInvalid,
    Plan,
    PlanOutdated,
    apply_plan,
    differences,
    json_schemas,
    make_plan,
    read_files,
)
from watchkeeper.kernel.web.wire import StrictModel


class LampFile(StrictModel):
    """A lamp."""

    name: str = Field(description="What it is called.")
    watts: int = Field(5, description="How bright.")


class LampBroke(Exception):
    pass


@dataclass
class Lamps:
    """Lamps in a dict; `order` is what was applied, in order."""

    name: str = "lamp"
    pattern: str = "lamps/*.yaml"
    model: type[BaseModel] = LampFile
    examples: Mapping[str, str] = field(default_factory=lambda: {"lamps/example.yaml": "# name: desk\n"})
    kept: dict[str, int] = field(default_factory=dict)
    order: list[str] = field(default_factory=list)

    def plan(self, session: Session, desired: Sequence[Located[Any]], complaints: Complaints) -> list[Change]:
        changes = []
        for one in desired:
            if one.value.watts > 100:
                complaints.add(one.document.place(("watts",)), "a lamp that does not burn the house")
            fields = differences({"watts": self.kept.get(one.value.name)}, {"watts": one.value.watts})
            action: Any = "create" if one.value.name not in self.kept else "update" if fields else "unchanged"
            changes.append(Change(action, self.name, one.value.name, fields, str(one.document.at)))
        gone = set(self.kept) - {one.value.name for one in desired}
        return changes + [Change("delete", self.name, name) for name in sorted(gone)]

    def apply(self, session: Session, change: Change, desired: Any | None, *, by: str, at: datetime) -> None:
        if change.name == "broken":
            raise LampBroke
        self.order.append(f"{change.action} {change.name}")
        if desired is None:
            del self.kept[change.name]
        else:
            self.kept[change.name] = desired.watts

    def export(self, session: Session) -> list[tuple[str, dict[str, Any]]]:
        return [(f"lamps/{name[0]}.yaml", {"name": name, "watts": watts}) for name, watts in sorted(self.kept.items())]

    def drift(self, session: Session) -> list[Drifted]:
        return []


def _plan(database: Database, files: dict[str, str], *kinds: Lamps) -> Plan:
    with database.read() as session:
        return make_plan(session, read_files(files, kinds), kinds)


def _apply(database: Database, files: dict[str, str], *kinds: Lamps, **options: Any) -> Plan:
    with database.begin() as session:
        return apply_plan(session, read_files(files, kinds), kinds, by="per_alice", at=NOON, **options)


def _complaints(files: dict[str, str]) -> list[str]:
    with pytest.raises(OpsInvalid) as refused:
        read_files(files, [Lamps()])
    return [f"{one.where}: {one.expected}" for one in refused.value.complaints]


def test_a_plan_says_what_is_created_changed_deleted_and_left_alone(database: Database) -> None:
    lamps = Lamps(kept={"desk": 5, "hall": 7, "attic": 3})
    plan = _plan(database, {"lamps/a.yaml": "name: desk\n---\nname: hall\nwatts: 9\n---\nname: porch\n"}, lamps)
    assert [(one.action, one.name, dict(one.fields)) for one in plan.changes] == [
        ("unchanged", "desk", {}),
        ("update", "hall", {"watts": (7, 9)}),
        ("create", "porch", {"watts": (None, 5)}),
        ("delete", "attic", {}),
    ]
    assert plan.changes[1].where == "lamps/a.yaml:3:1"
    assert not plan.is_empty


def test_apply_makes_the_changes_once_and_tells_it_once(database: Database) -> None:
    lamps = Lamps(kept={"attic": 3})
    files = {"lamps/a.yaml": "name: desk\n"}
    _apply(database, files, lamps)
    again = _apply(database, files, lamps)
    assert again.is_empty
    assert lamps.order == ["create desk", "delete attic"]
    with database.read() as session:
        (fact,) = read_facts(session, FactFilter())
    assert (fact.kind, fact.actor, fact.source) == ("ops.applied", "per_alice", "ops")
    assert describe_fact(fact) == "Applied ops/: 1 created, 1 deleted."


def test_what_is_deleted_goes_last_and_the_last_kind_first(database: Database) -> None:
    lamps, shades = Lamps(kept={"old": 1}), Lamps("shade", "shades/*.yaml", kept={"torn": 1})
    _apply(database, {"lamps/a.yaml": "name: new\n", "shades/a.yaml": "name: fine\n"}, lamps, shades)
    assert lamps.order + shades.order == ["create new", "delete old", "create fine", "delete torn"]
    kinds = (lamps, shades)
    order: list[str] = []
    lamps.order = shades.order = order
    with database.begin() as session:
        apply_plan(session, read_files({}, kinds), kinds, by="x", at=NOON)
    assert order == ["delete fine", "delete new"]


def test_one_failing_change_leaves_nothing_behind(database: Database) -> None:
    with pytest.raises(LampBroke):
        _apply(database, {"lamps/a.yaml": "name: desk\n---\nname: broken\n"}, Lamps())
    with database.read() as session:
        assert read_facts(session, FactFilter()) == []


def test_a_plan_can_be_bound_to_what_was_looked_at(database: Database) -> None:
    lamps, files = Lamps(), {"lamps/a.yaml": "name: desk\nwatts: 8\n"}
    seen = _plan(database, files, lamps).fingerprint
    assert _plan(database, {"lamps/b.yaml": "# moved\nname: desk\nwatts: 8\n"}, lamps).fingerprint == seen
    lamps.kept["desk"] = 3
    with pytest.raises(PlanOutdated) as refused:
        _apply(database, files, lamps, fingerprint=seen)
    assert refused.value.plan is not None
    assert dict(refused.value.plan.changes[0].fields) == {"watts": (3, 8)}
    assert lamps.kept == {"desk": 3}
    _apply(database, files, lamps, fingerprint=refused.value.plan.fingerprint)
    assert lamps.kept == {"desk": 8}


def test_complaints_of_a_kind_refuse_the_plan_like_those_of_the_shape(database: Database) -> None:
    with pytest.raises(OpsInvalid) as refused:
        _plan(database, {"lamps/a.yaml": "name: sun\nwatts: 5000\n"}, Lamps())
    (complaint,) = refused.value.complaints
    assert (complaint.where, complaint.expected) == (
        "lamps/a.yaml:2:8",
        "expected a lamp that does not burn the house",
    )


def test_two_objects_of_one_name_are_refused_with_both_places() -> None:
    assert _complaints({"lamps/a.yaml": "name: desk\n", "lamps/b.yaml": "watts: 1\nname: desk\n"}) == [
        "lamps/b.yaml:2:7: expected each name once, found 'desk', which is also at lamps/a.yaml:1:7"
    ]


def test_files_that_a_later_version_reads_are_noticed_and_others_refused() -> None:
    desired = read_files(
        {"recovery/a.yaml": "{{{", "cohorts.yaml": "", "README.md": "", "lamps/README.md": ""}, [Lamps()]
    )
    assert desired.notices == ("cohorts.yaml: not read by this version", "recovery/a.yaml: not read by this version")
    (complaint,) = _complaints({"lamps/desk.json": "{}"})
    assert complaint.startswith("lamps/desk.json:1:1: expected a file that is known here: lamps/*.yaml, recovery/*")


@pytest.mark.parametrize(
    "path", ["../a.yaml", "/etc/passwd", "lamps/../a.yaml", "", "lamps\\a.yaml", "a\nb", "a" * 400]
)
def test_a_path_that_leads_elsewhere_is_refused(path: str) -> None:
    (complaint,) = _complaints({path: "name: a\n"})
    assert "a path inside ops/" in complaint


def test_too_much_is_refused_before_it_is_read() -> None:
    with pytest.raises(OpsInvalid, match="At most"):
        read_files({f"lamps/{number}.yaml": "" for number in range(5_001)}, [Lamps()])
    with pytest.raises(OpsInvalid, match="4 MB"):
        read_files({f"lamps/{number}.yaml": "a" * 900_000 for number in range(5)}, [Lamps()])


def test_reading_stops_where_all_files_together_are_too_much() -> None:
    many = {f"lamps/{number}.yaml": "- a\n" * 40_000 for number in range(20)}
    complaints = _complaints(many)
    assert complaints[-1].startswith("lamps/10.yaml:")
    assert complaints[-1].endswith("expected at most 100,000 values in all files")


def test_differences_keep_both_sides_and_leave_out_what_is_equal() -> None:
    assert differences({"a": 1, "b": 2}, {"b": 3, "c": 4}) == {"a": (1, None), "b": (2, 3), "c": (None, 4)}
    assert differences({"a": [1]}, {"a": [1]}) == {}


def test_editors_get_a_schema_with_the_words_of_the_model() -> None:
    schema = json_schemas([Lamps()])["lamp.schema.json"]
    assert schema["$comment"] == "ops/lamps/**/*.yaml"
    assert schema["description"] == "A lamp."
    assert schema["properties"]["watts"]["description"] == "How bright."
    assert schema["additionalProperties"] is False
