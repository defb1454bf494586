"""`watchkeeper runbook`: begin a file, and look for what is wrong with it, without a server."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from typer.testing import CliRunner, Result

from tests.runbooks.serving import serving
from tests.runbooks.support import block, text_of
from watchkeeper.app.cli import cli


def ask(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["runbook", *arguments])


def test_a_new_file_says_what_is_to_be_written_and_overwrites_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "ops" / "runbooks"
    made = ask("new", "--service", "shop", "--owner", "team-shop", "--folder", str(folder), "--json")
    assert made.exit_code == 0
    path = Path(json.loads(made.stdout)["written"])
    assert path == folder / "shop.md"
    assert ask("new", "--service", "shop", "--folder", str(folder)).exit_code == 1
    assert ask("new", "--folder", str(folder)).exit_code == 1
    assert ask("new", "--alert", "Too slow!", "--folder", str(folder)).exit_code == 0
    assert (folder / "too-slow.md").exists()
    found = ask("lint", str(folder), "--json")
    assert found.exit_code == 1
    said = json.loads(found.stdout)
    assert {one["code"] for one in said} >= {"section-empty"}
    assert said[0]["where"].startswith(f"{folder}/shop.md:")


def test_lint_knows_the_names_of_the_ops_directory_around_a_file(tmp_path: Path) -> None:
    ops = tmp_path / "ops"
    for folder in ("services", "runbooks"):
        (ops / folder).mkdir(parents=True)
    (ops / "services" / "shop.yaml").write_text("name: shop\nowner: team-shop\n", encoding="utf-8")
    text = "---\ntitle: Shop\nservice: shap\nowners: [team-shap]\n---\n\n```sh {run=shell id=a}\nif\n```\n"
    (ops / "runbooks" / "shop.md").write_text(text, encoding="utf-8")
    lines = ask("lint", str(ops)).stderr.splitlines()
    where = f"{ops}/runbooks/shop.md"
    assert f"{where}:3:10: expected a service of the catalog, found 'shap': did you mean shop?" in lines
    assert f"{where}:4:10: expected a team or person, found 'team-shap': did you mean team-shop?" in lines
    assert any(one.startswith(f"{where}:9:1: expected a script that parses") for one in lines)


def test_lint_of_a_whole_ops_directory_tells_which_alerts_no_runbook_is_about(tmp_path: Path) -> None:
    ops = tmp_path / "ops"
    for folder in ("oncall", "runbooks"):
        (ops / folder).mkdir(parents=True)
    beats = "heartbeats:\n  - {name: backup, period_seconds: 60}\n  - {name: report, period_seconds: 60}\n"
    (ops / "oncall" / "ways.yaml").write_text(beats, encoding="utf-8")
    text = "---\ntitle: A\nservice: shop\nalerts: {Backup: a}\n---\n\n## A\n"
    (ops / "runbooks" / "shop.md").write_text(text, encoding="utf-8")
    wanted = f"{ops}/oncall/ways.yaml:3:5: warning: expected a runbook that names report under alerts"
    assert [one for one in ask("lint", str(ops)).stderr.splitlines() if "under alerts" in one] == [wanted]
    assert "under alerts" not in ask("lint", str(ops / "runbooks")).stderr


def test_addresses_are_asked_only_when_told_so_and_only_where_requests_may_go(tmp_path: Path) -> None:
    asked: list[tuple[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            asked.append((self.command, self.path))
            self.send_response({"/here": 302, "/get": 405, "/ill": 503}.get(self.path, 404))
            self.end_headers()

        def do_GET(self) -> None:
            asked.append((self.command, self.path))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        links = " ".join(f"[a]({url}/{path})" for path in ("here", "here#part", "get", "ill", "gone"))
        path = tmp_path / "shop.md"
        path.write_text(f"---\ntitle: A\nservice: shop\n---\n\n## A\n\n{links}\n", encoding="utf-8")

        def found(*arguments: str) -> list[tuple[str, str]]:
            said = json.loads(ask("lint", str(path), "--json", *arguments).stdout)
            return sorted((one["level"], one["said"].partition(url)[2]) for one in said if url in one["said"])

        assert found() == []
        refused = found("--links")
        assert [(level, "is not a public address" in said) for level, said in refused] == [("warning", True)] * 5
        assert asked == []
        assert found("--links", "--private-networks", "127.0.0.0/8") == [
            ("error", "/gone, which answered 404"),
            ("warning", "/ill, which answered 503"),
        ]
        assert sorted(asked) == [("GET", "/get"), *(("HEAD", f"/{one}") for one in ("get", "gone", "here", "ill"))]
        server.shutdown()
    assert ask("lint", str(path), "--links", "--private-networks", "x").exit_code == 1


def test_a_file_that_can_not_be_read_is_told_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "shop.md"
    path.write_text("---\ntitle: Shop\nservise: shop\n---\n", encoding="utf-8")
    found = ask("lint", str(path))
    assert found.exit_code == 1
    assert f"{path}:3:1: expected one of" in found.stderr
    assert ask("lint", str(tmp_path / "none.md")).exit_code == 1


def test_a_runbook_is_found_read_signed_off_run_and_undone_by_commands(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        secret = (tmp_path / "data" / "control.token").read_text(encoding="ascii").strip()
        env = {"WATCHKEEPER_SERVER": server.url, "WATCHKEEPER_TOKEN": secret}

        def said(*arguments: str, code: int = 0) -> str:
            found = CliRunner().invoke(cli, ["runbook", *arguments], env=env)
            assert found.exit_code == code, found.output
            return found.stdout + found.stderr

        assert "There are no runbooks yet" in said("list")
        body = block("printf '%s \\033[2J' $WK_WORD", "run=shell id=say title='Say it' undo=hush") + block(
            "echo", "run=shell id=hush"
        )
        text = text_of("Of marmalade.\n\n" + body + "- [ ] Tell the others\n", "inputs: [{name: word}]\n")
        revision = server.keep(text, approve=False)
        assert "reviewed never, overdue; " in said("list")
        assert "not signed off" in said("list", "--service", "shop")
        assert "$WK_WORD" in said("show", "shop")
        assert "/runbooks/shop#rollback" in said("search", "MARMALADE")
        assert "Nothing was found" in said("search", "plum")
        assert "expected a section 'Overview'" in said("lint", code=1)
        assert "Nobody signed revision" in said("run", "shop", "--input", "word=a", code=1)
        assert "changed since you read it" in said("approve", "shop", "--revision", "0" * 64, code=1)
        assert f"revision {revision[:12]} is signed off" in said("approve", "shop", "--revision", revision)
        assert "word: " in said("run", "shop", code=1)
        assert "name=value was expected" in said("run", "shop", "--input", "word", code=1)
        assert "(rehearsal)" in said("run", "shop", "--input", "word=a", "--dry-run") + said("runs")
        run = json.loads(said("run", "shop", "--input", "word=$(reboot)", "--reason", "a drill", "--json"))["id"]
        assert f"{run}: running, at /runs/{run}" in said("status", run)
        with server.runner(f"revisions: [{revision}]\n", "--once"):
            assert "1. Say it: waiting (waits for runner)" in said("confirm", run, "1")
            assert "waits for check" in said("status", run, "--wait")
        # To the letter, and nothing of it tells the terminal anything.
        assert "       $(reboot) \ufffd[2J" in said("status", run)
        assert "This step is succeeded" in said("confirm", run, "1", code=1)
        assert f"{run}: succeeded" in said("check", run, "2", "--note", "told")
        assert "2. Tell the others: succeeded: told" in said("status", run)
        undoing = json.loads(said("undo", run, "1", "--json"))["id"]
        assert undoing in said("runs", "--open", "--runbook", "shop")
        assert "1. Say it" not in said("skip", undoing, "1", "--reason", "not now")
        again = json.loads(said("run", "shop", "--input", "word=a", "--step", "say", "--json"))["id"]
        assert "1. Say it: cancelled" in said("stop", again)
        assert f"{again}: cancelled" in said("status", again, "--wait", code=1)
        assert "There is no such run" in said("status", "run_none", code=1)
        assert "There is no runbook" in said("show", "none", code=1)
