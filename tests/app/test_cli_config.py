"""`watchkeeper config`, as it is typed, against a running server."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from tests.support.running import RunningServer, running_server
from watchkeeper.app.cli import cli

BECAUSE = ("--reason", "tried out")
PARAMETERS = """\
environments: [production, staging]
parameters:
  - key: MATCHES_PER_DAY
    type: integer
    default: 3
    min: -5
    max: 10
    unit: matches
    description: How many | each day.
    owner: team-matching
    group: matching/daily
    service: matching
    used_by: [matching, gateway]
  - {key: REMINDER_AFTER, type: duration, default: 1d12h, group: chat}
  - {key: GREETING, type: string, default: hello, pattern: "[a-z|]+", deprecated_since: "2026-01-02"}
  - {key: LIMITS, type: json, default: {a: 1}}
  - {key: API_KEY, type: secret, default: {env: DUET_KEY}}
  - {key: ENABLE_VIDEO, type: flag, default: off, salt: fixed, expires_on: "2027-06-30"}
"""


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunningServer, Path]]:
    data = tmp_path_factory.mktemp("cli") / "data"
    with running_server(data) as server:
        yield server, data


@pytest.fixture
def server(shared: tuple[RunningServer, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunningServer:
    """A server whose parameters are as in the file, with nothing set."""
    for name in [name for name in os.environ if name.startswith("WATCHKEEPER_")]:
        monkeypatch.delenv(name)
    running, data = shared
    monkeypatch.setenv("WATCHKEEPER_DATA", str(data))
    (tmp_path / "ops").mkdir()
    (tmp_path / "ops" / "parameters.yaml").write_text("", encoding="utf-8")
    for change in _json("changes", "--limit", "200"):
        if change["state"] in ("scheduled", "waiting_approval"):
            done("cancel", change["id"], *BECAUSE)
    for environment in [one["name"] for one in running.client.get("/api/v1/config/environments").json()["items"]]:
        approval = {"needs_approval": False, "reason": "anew"}
        running.client.patch(f"/api/v1/config/environments/{environment}", json=approval).raise_for_status()
        for one in _json("list", "--environment", environment):
            for slot in [held["slot"] for held in (one["value"], *one["overrides"]) if held]:
                operation = {"key": one["definition"]["key"], "slot": slot, "value": None}
                order = {"environment": environment, "reason": "anew", "operations": [operation]}
                running.client.post("/api/v1/config/changes", json=order).raise_for_status()
    for one in _json("list"):
        if one["managed_by"] == "people":
            running.client.delete(f"/api/v1/config/parameters/{one['definition']['key']}").raise_for_status()
    (tmp_path / "ops" / "parameters.yaml").write_text(PARAMETERS, encoding="utf-8")
    assert run("apply", tmp_path / "ops", "--yes").exit_code == 0
    return running


def run(*words: str | Path, typed: str | None = None) -> Result:
    return CliRunner().invoke(cli, [str(word) for word in words], input=typed)


def config(*words: str | Path, typed: str | None = None) -> Result:
    return run("config", *words, typed=typed)


def done(*words: str | Path, typed: str | None = None) -> str:
    result = config(*words, typed=typed)
    assert result.exit_code == 0, result.output
    return result.stdout


def refused(*words: str | Path, typed: str | None = None) -> str:
    result = config(*words, typed=typed)
    assert result.exit_code == 1, result.output
    assert "Traceback" not in result.output
    return result.stderr


def _json(*words: str) -> Any:
    return json.loads(done(*words, "--json"))


@pytest.mark.usefixtures("server")
class TestReading:
    def test_the_list_shows_what_is_set_and_what_is_not(self) -> None:
        done("set", "MATCHES_PER_DAY", "4", *BECAUSE)
        done("override", "MATCHES_PER_DAY", "9", "--user", "u1", *BECAUSE)
        lines = done("list").splitlines()
        assert "MATCHES_PER_DAY  4, 1 override" in lines
        assert "REMINDER_AFTER   1d12h (default)" in lines
        assert "API_KEY          env:DUET_KEY (default)" in lines
        assert [line.split()[0] for line in done("list", "--group", "matching").splitlines()] == ["MATCHES_PER_DAY"]
        assert done("list", "--search", "each DAY").startswith("MATCHES_PER_DAY")

    def test_get_prints_the_value_and_nothing_else(self) -> None:
        assert done("get", "MATCHES_PER_DAY") == "3\n"
        assert done("get", "GREETING") == "hello\n"
        assert done("get", "LIMITS") == '{"a": 1}\n'
        assert done("get", "ENABLE_VIDEO") == "false\n"
        assert _json("get", "MATCHES_PER_DAY")["layer"] == "code"

    def test_explain_shows_every_layer(self) -> None:
        done("set", "MATCHES_PER_DAY", "4", *BECAUSE)
        done("override", "MATCHES_PER_DAY", "9", "--user", "u1", *BECAUSE)
        lines = done("explain", "MATCHES_PER_DAY", "--user", "u1").splitlines()
        assert lines[0] == "MATCHES_PER_DAY in production is 9"
        assert [line.split(":")[0].split()[-1] for line in lines[1:] if line.startswith("→")] == ["u1"]
        assert len(lines) >= 5
        assert _json("explain", "MATCHES_PER_DAY")["layer"] == "system_config"

    def test_what_is_not_there_is_one_clear_line(self) -> None:
        for words in (("get", "NOPE"), ("explain", "NOPE"), ("history", "NOPE"), ("set", "NOPE", "1", *BECAUSE)):
            assert len(refused(*words).splitlines()) == 1
        for command in ("get", "explain", "history"):
            assert "This one has '/' (SOLIDUS)" in refused(command, "GREETING/x")
        assert "CYRILLIC CAPITAL LETTER A" in refused("set", "M\u0410TCHES_PER_DAY", "1", *BECAUSE)
        assert "There is no environment 'mars'" in refused("get", "GREETING", "--environment", "mars")
        assert "expected a JSON object" in refused("get", "GREETING", "--attributes", "{")

    def test_history_tells_who_when_and_why(self) -> None:
        done("set", "MATCHES_PER_DAY", "4", *BECAUSE)
        text = done("history", "MATCHES_PER_DAY", "--limit", "1")
        assert "applied" in text
        assert ": tried out\n    MATCHES_PER_DAY: nothing → 4\n" in text
        assert _json("history", "MATCHES_PER_DAY", "--limit", "1")[0]["steps"][0]["after"] == 4

    def test_wrong_use_ends_with_two(self) -> None:
        for words in (("get",), ("set", "K", "1"), ("promote", "a", "b", "--json", *BECAUSE), ("nope",)):
            assert config(*words).exit_code == 2


@pytest.mark.usefixtures("server")
class TestChanging:
    @pytest.mark.parametrize(
        ("key", "text", "value"),
        [
            ("MATCHES_PER_DAY", "-5", -5),
            ("REMINDER_AFTER", "90m", "1h30m"),
            ("GREETING", "ahoy", "ahoy"),
            ("LIMITS", '{"a": [1, null]}', {"a": [1, None]}),
            ("API_KEY", "file:/run/secrets/key", {"file": "/run/secrets/key"}),
            ("ENABLE_VIDEO", "on", {"enabled": True, "serve": {"variant": "on"}}),
        ],
    )
    def test_a_value_is_read_by_its_type(self, key: str, text: str, value: Any) -> None:
        made = json.loads(done("set", key, text, *BECAUSE, "--json"))
        assert (made["steps"][0]["after"], made["state"]) == (value, "applied")

    @pytest.mark.parametrize(
        ("key", "text", "line"),
        [
            ("MATCHES_PER_DAY", "many", "MATCHES_PER_DAY: expected a whole number, found 'many'"),
            ("MATCHES_PER_DAY", "NaN", "MATCHES_PER_DAY: expected a whole number, found 'NaN'"),
            ("MATCHES_PER_DAY", "11", "from -5 to 10"),
            ("REMINDER_AFTER", "soon", "expected a duration such as"),
            ("GREETING", "AHOY", "text that matches [a-z|]+"),
            ("LIMITS", "{", "expected JSON"),
            ("API_KEY", "hunter2", "where the secret is: env:NAME or file:/path"),
            ("ENABLE_VIDEO", "blue", "one of the variants on, off"),
            ("ENABLE_VIDEO", '{"serve": {"percent": 101, "variants": {"on": 1}}}', "a number from 0 to 100"),
            ("ENABLE_VIDEO", "{oops", "expected the flag's state as JSON"),
        ],
    )
    def test_what_does_not_fit_is_refused_and_changes_nothing(self, key: str, text: str, line: str) -> None:
        assert line in refused("set", key, text, *BECAUSE)
        assert _json("list", "--search", key)[0]["value"] is None

    def test_a_change_says_what_it_did(self) -> None:
        text = done("set", "MATCHES_PER_DAY", "4", *BECAUSE)
        assert "MATCHES_PER_DAY: nothing → 4 in production\n" in text
        assert text.endswith("Done.\n")

    def test_nobody_is_overwritten_unseen(self) -> None:
        done("set", "MATCHES_PER_DAY", "4", "--if-version", "0", *BECAUSE)
        assert "was changed" in refused("set", "MATCHES_PER_DAY", "5", "--if-version", "0", *BECAUSE)
        version = str(_json("list", "--search", "MATCHES")[0]["value"]["version"])
        done("set", "MATCHES_PER_DAY", "5", "--if-version", version, *BECAUSE)
        assert done("get", "MATCHES_PER_DAY") == "5\n"

    def test_unset_leaves_it_to_the_layers_below(self) -> None:
        done("set", "MATCHES_PER_DAY", "4", *BECAUSE)
        done("unset", "MATCHES_PER_DAY", *BECAUSE)
        assert done("get", "MATCHES_PER_DAY") == "3\n"
        assert "nothing is set there in production" in refused("unset", "MATCHES_PER_DAY", *BECAUSE)

    def test_users_and_segments_are_overridden(self) -> None:
        done("override", "MATCHES_PER_DAY", "-1", "--user", "u1", *BECAUSE)
        done("set", "MATCHES_PER_DAY", "7", "--segment", "all_users", "--priority", "3", *BECAUSE)
        assert done("get", "MATCHES_PER_DAY", "--user", "u1") == "-1\n"
        assert done("get", "MATCHES_PER_DAY", "--user", "u2") == "7\n"
        assert "whose?" in refused("override", "MATCHES_PER_DAY", "1", *BECAUSE)
        assert "not both" in refused("override", "MATCHES_PER_DAY", "1", "--user", "a", "--segment", "b", *BECAUSE)
        assert "a segment that exists" in refused("set", "MATCHES_PER_DAY", "1", "--segment", "nobody", *BECAUSE)
        done("unset", "MATCHES_PER_DAY", "--user", "u1", *BECAUSE)
        assert done("get", "MATCHES_PER_DAY", "--user", "u1") == "7\n"

    def test_a_change_can_come_later_and_be_taken_back(self) -> None:
        text = done("set", "MATCHES_PER_DAY", "4", "--at", "2027-01-01T00:00:00Z", *BECAUSE)
        assert "It will be made at 2027-01-01T00:00:00" in text
        (change,) = _json("changes", "--state", "scheduled")
        assert change["id"] in text
        assert "cancelled" in done("cancel", change["id"], *BECAUSE)
        assert _json("changes", "--state", "scheduled") == []
        assert "a zone" in refused("set", "MATCHES_PER_DAY", "4", "--at", "2027-01-01T00:00:00", *BECAUSE)

    def test_revert_sets_back_once(self) -> None:
        done("set", "MATCHES_PER_DAY", "4", *BECAUSE)
        change = json.loads(done("set", "MATCHES_PER_DAY", "5", *BECAUSE, "--json"))
        assert "5 → 4" in done("revert", change["id"], *BECAUSE)
        assert done("get", "MATCHES_PER_DAY") == "4\n"
        assert "undone already" in refused("revert", change["id"], *BECAUSE)

    def test_a_flag_is_killed_and_comes_back_with_its_rules(self) -> None:
        done("set", "ENABLE_VIDEO", '{"serve": {"percent": 100, "variants": {"on": 1}}}', *BECAUSE)
        done("kill", "ENABLE_VIDEO", *BECAUSE)
        assert done("get", "ENABLE_VIDEO", "--user", "u1") == "false\n"
        done("kill", "ENABLE_VIDEO", "--undo", *BECAUSE)
        assert done("get", "ENABLE_VIDEO", "--user", "u1") == "true\n"
        assert "only a flag is killed" in refused("kill", "GREETING", *BECAUSE)

    def test_a_state_too_long_for_a_line_is_told_in_words(self) -> None:
        rule = {"when": {"attribute": "country", "op": "in", "value": ["NO", "SE", "DK", "FI", "IS"]}}
        state = {"rules": [{**rule, "serve": {"variant": "on"}}], "serve": {"percent": 25, "variants": {"on": 1}}}
        assert "nothing → 1 rule, on for 25 %" in done("set", "ENABLE_VIDEO", json.dumps(state), *BECAUSE)
        assert "1 rule, on for 25 % → killed" in done("kill", "ENABLE_VIDEO", *BECAUSE)

    def test_a_second_person_approves_what_they_were_shown(self, server: RunningServer) -> None:
        order = {"needs_approval": True, "reason": "care"}
        server.client.patch("/api/v1/config/environments/production", json=order).raise_for_status()
        text = done("set", "MATCHES_PER_DAY", "4", *BECAUSE)
        (change,) = _json("changes", "--state", "waiting_approval")
        assert f"watchkeeper config approve {change['id']}" in text
        assert "ask somebody else" in refused("approve", change["id"], "--hash", change["content_hash"])
        made = server.client.post("/api/v1/tokens", json={"name": "bob", "scopes": ["write"]})
        bob = ("--server", server.url, "--token", made.json()["secret"])
        assert "not what" in refused("approve", change["id"], "--hash", "0" * 64, *bob)
        assert "Nothing was approved" in refused("approve", change["id"], *bob, typed="n\n")
        shown = done("approve", change["id"], *bob, typed="y\n")
        assert "MATCHES_PER_DAY: nothing → 4" in shown
        assert done("get", "MATCHES_PER_DAY") == "4\n"
        done("set", "MATCHES_PER_DAY", "5", *BECAUSE)
        (change,) = _json("changes", "--state", "waiting_approval")
        assert "rejected" in done("reject", change["id"], *BECAUSE, *bob)

    def test_values_are_promoted_after_they_were_shown(self) -> None:
        done("set", "MATCHES_PER_DAY", "4", "--environment", "staging", *BECAUSE)
        done("set", "GREETING", "ahoy", "--environment", "staging", *BECAUSE)
        assert done("diff", "staging", "production").splitlines() == [
            "GREETING: ahoy → nothing",
            "MATCHES_PER_DAY: 4 → nothing",
        ]
        assert "Nothing was changed" in refused("promote", "staging", "production", *BECAUSE, typed="n\n")
        text = done("promote", "staging", "production", "--key", "GREETING", *BECAUSE, typed="y\n")
        assert text.splitlines()[0] == "GREETING: nothing → ahoy"
        assert (done("get", "GREETING"), done("get", "MATCHES_PER_DAY")) == ("ahoy\n", "3\n")
        done("promote", "staging", "production", "--yes", *BECAUSE)
        assert done("diff", "staging", "production") == "staging and production have the same.\n"
        assert "has what staging has" in refused("promote", "staging", "production", "--yes", *BECAUSE)

    def test_what_wants_clearing_up_is_listed(self) -> None:
        assert isinstance(_json("stale"), list)

    def test_a_token_that_only_reads_changes_nothing(self, server: RunningServer) -> None:
        made = server.client.post("/api/v1/tokens", json={"name": "reader", "scopes": ["read"]})
        reader = ("--server", server.url, "--token", made.json()["secret"])
        assert done("get", "GREETING", *reader) == "hello\n"
        assert len(refused("set", "GREETING", "ahoy", *BECAUSE, *reader).splitlines()) == 1


@pytest.mark.usefixtures("server")
class TestFiles:
    def test_an_export_is_imported_without_a_change(self, tmp_path: Path) -> None:
        done("set", "MATCHES_PER_DAY", "4", *BECAUSE)
        for form in ("yaml", "json"):
            file = tmp_path / f"parameters.{form}"
            file.write_text(done("export", "--format", form), encoding="utf-8")
            assert done("import", file, *BECAUSE) == "Imported: 0 defined or set, 6 as they were.\n"

    def test_an_import_is_shown_then_made_and_removes_nothing(self, tmp_path: Path) -> None:
        file = tmp_path / "some.yaml"
        file.write_text(
            "parameters:\n- {key: MATCHES_PER_DAY, type: integer, default: 3, min: 12, max: 30,"
            " values: {production: 20}}\n- {key: EXTRA, type: boolean, default: false, values: {staging: true}}\n",
            encoding="utf-8",
        )
        wrong = refused("import", file, *BECAUSE, typed="y\n")
        assert f"{file.as_posix()}:2:50: expected a whole number that is from 12 to 30" in wrong
        file.write_text(file.read_text(encoding="utf-8").replace("default: 3", "default: 13"), encoding="utf-8")
        assert "Nothing was changed." in refused("import", file, *BECAUSE, typed="n\n")
        text = done("import", file, *BECAUSE, typed="y\n")
        assert "~ MATCHES_PER_DAY" in text
        assert "    maximum: 10 → 30" in text
        assert "+ EXTRA" in text
        assert "Imported: 2 defined or set, 0 as they were." in text
        assert (done("get", "MATCHES_PER_DAY"), done("get", "GREETING")) == ("20\n", "hello\n")
        assert done("get", "EXTRA", "--environment", "staging") == "true\n"
        assert "Imported: 0 defined or set, 2" in done("import", file, *BECAUSE)

    def test_an_import_waits_for_approval_like_any_change(self, tmp_path: Path, server: RunningServer) -> None:
        order = {"needs_approval": True, "reason": "care"}
        server.client.patch("/api/v1/config/environments/production", json=order).raise_for_status()
        file = tmp_path / "some.yaml"
        file.write_text(
            done("export").replace("default: hello", "default: hello\n    values: {production: ahoy}"), encoding="utf-8"
        )
        assert "waits for somebody else" in done("import", file, "--yes", *BECAUSE)
        assert done("get", "GREETING") == "hello\n"

    def test_a_wrong_file_is_told_with_its_places_and_changes_nothing(self, tmp_path: Path) -> None:
        file = tmp_path / "wrong.json"
        file.write_text('{"parameters": [\n{"key": "A", "type": "integer", "default": "x"},\n{"key": "B/C"}]}')
        lines = refused("import", file, *BECAUSE).splitlines()
        assert lines[0] == f"{file.as_posix()}:3:1: expected the field type"
        file.write_text('{"parameters": [{"key": "A", "type": "integer", "default": "x"}]}')
        assert refused("import", file, *BECAUSE).startswith(f"{file.as_posix()}:1:60: expected a whole number")
        assert "text in UTF-8" in (file.write_bytes(b"\xff") and refused("import", file, *BECAUSE))
        assert refused("get", "A")


@pytest.mark.usefixtures("server")
class TestDocs:
    def test_the_page_has_a_table_for_each_group(self) -> None:
        text = done("docs")
        assert text.startswith("# Configuration\n<!-- Made by `watchkeeper config docs`")
        assert "\n## matching/daily\n" in text
        assert text.index("## chat") < text.index("## matching/daily") < text.index("## Other parameters")
        (row,) = [line for line in text.splitlines() if line.startswith("| `MATCHES_PER_DAY` |")]
        cells = [cell.strip() for cell in row.replace("\\|", "¦").strip("|").split("|")]
        assert cells[:7] == ["`MATCHES_PER_DAY`", "integer", "`3`", "-5 to 10", "matches", "How many ¦ each day.",
                             "team-matching"]  # fmt: skip
        assert cells[7] == "matching, gateway"
        assert "DUET_KEY" in text
        assert "**Deprecated since 2026-01-02.**" in text

    def test_a_check_passes_until_something_differs(self, tmp_path: Path) -> None:
        page = tmp_path / "configuration.md"
        page.write_text(done("docs"), encoding="utf-8")
        done("docs", "--check", page)
        done("set", "MATCHES_PER_DAY", "4", *BECAUSE)
        done("docs", "--check", page)
        page.write_text(page.read_text(encoding="utf-8").replace("-5 to 10", "1 to 10"), encoding="utf-8")
        result = config("docs", "--check", page)
        assert result.exit_code == 1
        assert result.stdout.startswith(f"--- {page.as_posix()}\n")
        assert "\n-| `MATCHES_PER_DAY` " in result.stdout
        assert "\n+| `MATCHES_PER_DAY` " in result.stdout
        assert len(result.stderr.splitlines()) == 1
        assert "is out of date; make it anew with `watchkeeper config docs >" in result.stderr

    def test_the_same_page_is_checked_against_files_without_a_server(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        page = tmp_path / "configuration.md"
        page.write_text(done("docs"), encoding="utf-8")
        monkeypatch.setenv("WATCHKEEPER_DATA", str(tmp_path / "nowhere"))
        done("docs", "--ops", tmp_path / "ops", "--check", page)
        page.write_text(done("docs", "--ops", tmp_path / "ops"), encoding="utf-8")
        assert "last change" not in page.read_text(encoding="utf-8")
        done("docs", "--ops", tmp_path / "ops", "--check", page)
        (tmp_path / "ops" / "parameters.yaml").write_text(PARAMETERS.replace("hello", "hi"), encoding="utf-8")
        assert "is out of date" in refused("docs", "--ops", tmp_path / "ops", "--check", page)
        assert not (tmp_path / "nowhere").exists()

    def test_a_page_that_is_not_there_and_files_that_are_wrong_are_clear_lines(self, tmp_path: Path) -> None:
        assert "there is no such page" in refused("docs", "--check", tmp_path / "nope.md")
        (tmp_path / "ops" / "parameters.yaml").write_text(PARAMETERS.replace("default: 3", "default: 30"))
        lines = refused("docs", "--ops", tmp_path / "ops").splitlines()
        assert lines[0].startswith(f"{(tmp_path / 'ops' / 'parameters.yaml').as_posix()}:5:14: expected a whole number")

    def test_watchkeepers_own_settings_are_listed_the_same_way(self) -> None:
        text = done("docs", "--own")
        assert text == Path("docs/reference/configuration.md").read_text(encoding="utf-8")
        assert config("docs", "--own", "--ops", ".").exit_code == 2
        done("docs", "--own", "--check", "docs/reference/configuration.md")
