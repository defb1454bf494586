"""Exports: files that say what is, put into directories that hold files already."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.kernel.ops.test_plan import Lamps
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.ops import OpsInvalid, export_files, kind_file, make_plan, read_files
from watchkeeper.kernel.ops.directory import read_directory, write_directory
from watchkeeper.kernel.ops.layout import Arranged, arrange

LINE = "# yaml-language-server: $schema=../.schemas/lamp.schema.json\n"


def _exported(lamps: Lamps) -> dict[str, str]:
    found: dict[str, list[dict[str, object]]] = {}
    for name, watts in sorted(lamps.kept.items()):
        found.setdefault(f"lamps/{name[0]}.yaml", []).append({"name": name, "watts": watts})
    return {file: kind_file(lamps, file, documents) for file, documents in found.items()}


def _arrange(existing: dict[str, str], **kept: int) -> Arranged:
    lamps = Lamps(kept=kept)
    return arrange(existing, _exported(lamps), [lamps])


def _after(existing: dict[str, str], arranged: Arranged) -> dict[str, str]:
    files = {**existing, **arranged.new, **arranged.changed}
    return {file: text for file, text in files.items() if file not in arranged.removed}


def test_each_document_of_a_file_names_its_schema_to_editors(database: Database) -> None:
    with database.read() as session:
        found = export_files(session, [Lamps(kept={"desk": 5, "door": 7})])
    assert found.files == {"lamps/d.yaml": f"{LINE}name: desk\nwatts: 5\n---\n{LINE}name: door\nwatts: 7\n"}
    assert found.notices == ()


def test_the_schema_is_found_from_any_folder() -> None:
    assert kind_file(Lamps(), "lamps.yaml", [{"name": "a"}]).startswith(
        "# yaml-language-server: $schema=.schemas/lamp.schema.json\n"
    )
    assert kind_file(Lamps(), "lamps/hall/a.yaml", [{"name": "a"}]).startswith(
        "# yaml-language-server: $schema=../../.schemas/lamp.schema.json\n"
    )


def test_what_no_file_can_hold_is_left_out_and_named(database: Database) -> None:
    with database.read() as session:
        found = export_files(session, [Lamps(kept={" desk": 5, "hall": 1})])
    assert list(found.files) == ["lamps/h.yaml"]
    assert found.notices == ("lamp ' desk': left out, no file can hold it",)


def test_an_empty_directory_gets_everything() -> None:
    assert _arrange({}, desk=5).new == {"lamps/d.yaml": f"{LINE}name: desk\nwatts: 5\n"}


def test_a_file_that_says_the_same_in_other_words_is_left_alone() -> None:
    existing = {"lamps/all.yaml": "# mine\nwatts: 5 # bright\nname: 'desk'\n---\nname: hall\n"}
    assert _arrange(existing, desk=5, hall=5) == Arranged({}, {}, (), ("lamps/all.yaml",))


def test_an_object_stays_in_the_file_that_names_it() -> None:
    existing = {"lamps/all.yaml": "name: hall\n---\nname: desk\n", "README.md": "x"}
    arranged = _arrange(existing, desk=7, hall=5, porch=1)
    assert arranged.changed == {"lamps/all.yaml": f"{LINE}name: hall\nwatts: 5\n---\n{LINE}name: desk\nwatts: 7\n"}
    assert list(arranged.new) == ["lamps/p.yaml"]


def test_what_is_not_there_leaves_its_file_and_an_empty_file_goes() -> None:
    existing = {
        "lamps/all.yaml": "name: hall\n---\nname: desk\n",
        "lamps/x.yaml": "name: gone\n",
        "lamps/e.yaml": "#\n",
    }
    arranged = _arrange(existing, desk=5)
    assert (list(arranged.changed), arranged.removed) == (["lamps/all.yaml"], ("lamps/x.yaml",))


def test_a_wrong_file_stops_an_export_with_its_place() -> None:
    with pytest.raises(OpsInvalid) as refused:
        _arrange({"lamps/a.yaml": "name: desk\nwats: 5\n"}, desk=5)
    assert refused.value.complaints[0].where == "lamps/a.yaml:2:1"


lamps = st.dictionaries(st.sampled_from(["desk", "door", "hall", "attic"]), st.integers(1, 3))
layouts = st.lists(st.tuples(lamps, st.sampled_from(["lamps/a.yaml", "lamps/d.yaml", "lamps/z/all.yaml"])), max_size=3)


@given(layouts, lamps)
def test_whatever_a_directory_says_after_an_export_it_says_what_is(
    layout: list[tuple[dict[str, int], str]], kept: dict[str, int]
) -> None:
    existing, seen = dict[str, list[dict[str, object]]](), set[str]()
    for named, file in layout:
        existing.setdefault(file, []).extend({"name": n, "watts": w} for n, w in named.items() if n not in seen)
        seen |= set(named)
    before = {file: kind_file(Lamps(), file, documents) for file, documents in existing.items()}
    after = _after(before, _arrange(before, **kept))
    assert {one.value.name: one.value.watts for one in read_files(after, [Lamps()]).objects["lamp"]} == kept
    again = _arrange(after, **kept)
    assert not again.new
    assert not again.changed
    assert not again.removed


def test_a_plan_of_an_export_is_empty(database: Database) -> None:
    kind = Lamps(kept={"desk": 5, "door": 7})
    with database.read() as session:
        files = export_files(session, [kind]).files
        assert make_plan(session, read_files(files, [kind]), [kind]).is_empty


def test_examples_teach_by_comments_alone() -> None:
    assert read_files(Lamps().examples, [Lamps()]).objects == {"lamp": []}


def test_files_are_written_below_the_directory_and_only_there(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    ops = tmp_path / "ops"
    ops.mkdir()
    (ops / "away").symlink_to(tmp_path / "outside")
    (ops / "link.yaml").symlink_to(tmp_path / "outside" / "x.yaml")
    for path in ("../x.yaml", "/etc/x", "a/../../x.yaml", "away/x.yaml", "link.yaml", "a\\b.yaml", ""):
        with pytest.raises(OpsInvalid):
            write_directory(ops, {"fine.yaml": "a", path: "x"}, replace=True)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["away", "link.yaml", "ops", "outside"]


def test_a_file_is_replaced_whole_keeps_its_rights_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("old", encoding="utf-8")
    (tmp_path / "a.yaml").chmod(0o640)
    assert write_directory(tmp_path, {"a.yaml": "new é", "b/c.yaml": "x"}, replace=True) == ["a.yaml", "b/c.yaml"]
    assert read_directory(tmp_path) == {"a.yaml": "new é", "b/c.yaml": "x"}
    assert (tmp_path / "a.yaml").stat().st_mode & 0o777 == 0o640
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a.yaml", "b", "c.yaml"]


def test_a_file_that_is_there_stays_where_that_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("mine", encoding="utf-8")
    assert write_directory(tmp_path, {"a.yaml": "theirs", "b.yaml": "x"}, replace=False) == ["b.yaml"]
    assert (tmp_path / "a.yaml").read_text(encoding="utf-8") == "mine"
