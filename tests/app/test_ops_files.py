"""`watchkeeper init` and `watchkeeper export`, as they are typed, and what the API gives them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema
import pytest
from click.testing import Result
from typer.testing import CliRunner

from tests.app.test_cli_ops import ops  # noqa: F401 (a fixture)
from watchkeeper.app.cli import cli
from watchkeeper.app.configuration import load_configuration
from watchkeeper.app.local import connect
from watchkeeper.app.ops.kinds import KINDS
from watchkeeper.app.ops.scaffold import scaffold
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.ops import Complaints, json_schema, make_plan, read_files
from watchkeeper.kernel.ops.schema import schema_file
from watchkeeper.kernel.ops.yaml_file import parse

LINE = re.compile(r"# yaml-language-server: \$schema=(\S+)")


def _run(*words: str | Path, typed: str | None = None) -> Result:
    return CliRunner().invoke(cli, [str(word) for word in words], input=typed)


def _made_in_the_console(tmp_path: Path, *services: dict[str, object]) -> None:
    with connect(load_configuration({}, data=tmp_path / "data")) as client:
        for number, service in enumerate(services):
            headers = {"Idempotency-Key": f"key-{number}"}
            client.post("/api/v1/services", json=service, headers=headers).raise_for_status()


def _edited_in_the_console(tmp_path: Path, name: str, **fields: object) -> None:
    with connect(load_configuration({}, data=tmp_path / "data")) as client:
        etag = client.get(f"/api/v1/services/{name}").headers["etag"]
        client.patch(f"/api/v1/services/{name}", json=fields, headers={"If-Match": etag}).raise_for_status()


@pytest.fixture
def place(ops: Path, tmp_path: Path) -> Path:  # noqa: F811 (the fixture)
    """Where the directory will be; there is an empty Watchkeeper, and no directory yet."""
    (ops / "services" / "web.yaml").unlink()
    (ops / "services").rmdir()
    ops.rmdir()
    return tmp_path / "ops"


def test_a_new_directory_is_one_that_a_plan_accepts(place: Path) -> None:
    result = _run("init", place)
    assert result.exit_code == 0, result.output
    assert sorted(path.relative_to(place).as_posix() for path in place.rglob("*") if path.is_file()) == [
        *sorted({f".schemas/{schema_file(kind)}" for kind in KINDS}),
        "README.md",
        *sorted(example for kind in KINDS for example in kind.examples),
    ]
    planned = _run("plan", place, "--check")
    assert (planned.exit_code, "Nothing to change: 0 as the files say." in planned.stdout) == (0, True)
    assert f"watchkeeper plan {place.as_posix()}" in (place / "README.md").read_text(encoding="utf-8")


def test_every_kind_of_file_has_an_example_that_begins_with_its_schema() -> None:
    files = scaffold(KINDS)
    for kind in KINDS:
        for path in kind.examples:
            if path.endswith(".md"):  # no schema describes a text; what is wrong with one is said by its own lint
                continue
            named = LINE.fullmatch(files[path].splitlines()[0])
            assert named, path
            folder = Path(path).parent
            assert f".schemas/{schema_file(kind)}" == _resolved(folder / named[1]), path
            assert all(f"`{pattern}`" in files["README.md"] for pattern in kind.pattern.split())


def _resolved(path: Path) -> str:
    return path.resolve().relative_to(Path.cwd()).as_posix()


def test_a_scaffold_changes_nothing_in_a_watchkeeper_without_files(database: Database) -> None:
    files = {path: text for path, text in scaffold(KINDS).items() if not path.startswith(".")}
    with database.read() as session:
        plan = make_plan(session, read_files(files, KINDS), KINDS)
    assert (plan.changes, plan.notices) == ((), ())


def test_init_overwrites_nothing(place: Path) -> None:
    _run("init", place)
    for path in [path for path in place.rglob("*") if path.is_file()]:
        path.write_text("mine", encoding="utf-8")
    (place / "services" / "web.yaml").write_text("name: web\n", encoding="utf-8")
    result = _run("init", place, "--json")
    assert json.loads(result.stdout)["written"] == []
    assert {path.read_text(encoding="utf-8") for path in place.rglob("*.*") if path.is_file()} == {
        "mine",
        "name: web\n",
    }


def test_schemas_are_written_anew_and_nothing_else(place: Path) -> None:
    (place / ".schemas").mkdir(parents=True)
    (place / ".schemas" / "service.schema.json").write_text("of an older version", encoding="utf-8")
    assert _run("init", place, "--schemas-only").exit_code == 0
    schemas = sorted(path for path in place.rglob("*") if path.is_file())
    titles = [json.loads(schema.read_text(encoding="utf-8"))["title"] for schema in schemas]
    assert {"Watchkeeper environment and parameter", "Watchkeeper service", "Watchkeeper team"} <= set(titles)


def test_an_export_is_what_the_console_made_and_a_plan_of_it_has_nothing_to_do(place: Path, tmp_path: Path) -> None:
    _made_in_the_console(tmp_path, {"name": "web", "owner": "no", "tier": 2}, {"name": "my service"})
    result = _run("export", place)
    assert result.exit_code == 0, result.output
    assert (place / "services" / "web.yaml").read_text(encoding="utf-8") == (
        '# yaml-language-server: $schema=../.schemas/service.schema.json\nname: web\nowner: "no"\ntier: 2\n'
    )
    assert (place / ".schemas" / "service.schema.json").exists()
    planned = _run("plan", place, "--check")
    assert planned.exit_code == 0
    assert "Nothing to change: 2 as the files say. 2 of them will belong to the files when they are applied." in (
        planned.stdout
    )
    assert "Applied: 2 taken over as they are, 0 unchanged." in _run("apply", place, "--yes").stdout
    assert "Nothing to change: 2 as the files say.\n" in _run("plan", place).stdout
    assert "0 files written, 0 removed, 2 as they were" in _run("export", place).stdout


def test_an_export_of_nothing_is_nothing(place: Path) -> None:
    assert "Exported: 0 files written" in _run("export", place).stdout
    assert _run("plan", place, "--check").exit_code == 0


def test_files_that_say_something_else_are_shown_and_stay_as_they_are(ops: Path, tmp_path: Path) -> None:  # noqa: F811
    _made_in_the_console(tmp_path, {"name": "web", "owner": "Bob"}, {"name": "chat"})
    (ops / "services" / "old.yaml").write_text("name: old\n", encoding="utf-8")
    before = {path: path.read_text(encoding="utf-8") for path in ops.rglob("*") if path.is_file()}
    result = _run("export", ops)
    assert result.exit_code == 1
    assert result.stderr.splitlines()[:2] == [
        f"{ops.as_posix()}/services/old.yaml: would be removed",
        f"{ops.as_posix()}/services/web.yaml: would be changed",
    ]
    assert "2 files say something else than Watchkeeper; nothing was written." in result.stderr
    assert {path: path.read_text(encoding="utf-8") for path in ops.rglob("*") if path.is_file()} == before


def test_by_force_the_directory_says_what_watchkeeper_has(ops: Path, tmp_path: Path) -> None:  # noqa: F811
    _made_in_the_console(tmp_path, {"name": "web", "owner": "Bob"}, {"name": "chat"})
    (ops / "services" / "old.yaml").write_text("name: old\n", encoding="utf-8")
    result = _run("export", ops, "--force")
    assert result.exit_code == 0, result.output
    for line in ("wrote   {}/services/web.yaml", "removed {}/services/old.yaml", "wrote   {}/services/chat.yaml"):
        assert line.format(ops.as_posix()) in result.stdout
    assert _run("plan", ops, "--check").exit_code == 0


def test_what_was_changed_in_the_console_goes_into_the_file_that_names_it(ops: Path, tmp_path: Path) -> None:  # noqa: F811
    both = "# ours\nname: web\nowner: Team Web\n---\nname: chat\n"
    (ops / "services" / "web.yaml").unlink()
    (ops / "services" / "all.yaml").write_text(both, encoding="utf-8")
    assert _run("apply", ops, "--yes").exit_code == 0
    assert "1 as they were" in _run("export", ops).stdout
    assert (ops / "services" / "all.yaml").read_text(encoding="utf-8") == both
    _edited_in_the_console(tmp_path, "web", owner="Bob")
    assert json.loads(_run("export", ops, "--force", "--json").stdout)["written"][0] == "services/all.yaml"
    assert [path.name for path in (ops / "services").iterdir()] == ["all.yaml"]
    assert _run("plan", ops, "--check").exit_code == 0
    assert "1 taken over as they are" in _run("apply", ops, "--yes").stdout


def test_a_wrong_file_stops_an_export_with_its_place(ops: Path) -> None:  # noqa: F811
    (ops / "services" / "web.yaml").write_text("name: web\ntier: 9\n", encoding="utf-8")
    for more in ([], ["--force"]):
        result = _run("export", ops, *more)
        assert result.exit_code == 1
        assert result.stderr.splitlines()[0].startswith(f"{ops.as_posix()}/services/web.yaml:2:7: expected 1, 2, 3")
    assert (ops / "services" / "web.yaml").read_text(encoding="utf-8") == "name: web\ntier: 9\n"


def test_what_can_not_be_written_is_one_clear_line(place: Path, tmp_path: Path) -> None:
    place.mkdir()
    (tmp_path / "elsewhere").mkdir()
    (place / ".schemas").symlink_to(tmp_path / "elsewhere")
    result = _run("init", place)
    assert result.exit_code == 1
    assert ".schemas/" in result.stderr.splitlines()[0]
    assert list((tmp_path / "elsewhere").iterdir()) == []
    (place / "services").write_text("", encoding="utf-8")
    (place / ".schemas").unlink()
    assert _run("init", place).exit_code == 1


def test_editors_accept_every_document_of_an_export(place: Path, tmp_path: Path) -> None:
    about = {"description": "a\nb", "tier": 1, "links": [{"title": "D", "url": "https://x.example"}]}
    _made_in_the_console(tmp_path, {"name": "web", **about, "dependencies": ["no"]}, {"name": "a/b"})
    _run("export", place)
    (kind,) = [one for one in KINDS if one.name == "service"]
    jsonschema.Draft202012Validator.check_schema(json_schema(kind))
    for path in (place / "services").iterdir():
        (document,) = parse(path.name, path.read_text(encoding="utf-8"), Complaints())
        jsonschema.validate(document.value, json_schema(kind), jsonschema.Draft202012Validator)
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({**document.value, "teir": 1}, json_schema(kind))
