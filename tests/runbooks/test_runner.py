"""Runners as processes, over HTTP, and what is left when they are killed."""

from __future__ import annotations

import os
import pwd
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.notify.faults import Authority
from tests.runbooks.serving import Serving, serving
from tests.runbooks.support import block, text_of
from tests.support.postgres import PostgresServer
from tests.support.postgres_databases import Databases
from tests.support.running import eventually
from watchkeeper.app.cli import cli
from watchkeeper.modules.runbooks import store_runs
from watchkeeper.modules.runbooks.leasing import Leases
from watchkeeper.modules.runbooks.model import State
from watchkeeper.modules.runbooks.public import Actions
from watchkeeper.modules.runbooks.settings import RunbookSettings


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with serving(tmp_path_factory.mktemp("serving")) as opened:
        yield opened


def confirmed(server: Serving, run: str, number: int = 1) -> None:
    answer = server.admin.post(f"/api/v1/runs/{run}/steps/{number}/confirm")
    assert answer.status_code == 200, answer.text


def test_a_runner_takes_runs_and_tells_and_refuses_what_is_not_in_its_list(server: Serving) -> None:
    good = text_of(block("echo $WK_WORD", "run=shell id=a"), "inputs: [{name: word}]\n")
    revision = server.keep(good)
    evil = server.keep(text_of(block("echo evil", "run=shell id=a")), "evil")
    assert evil != revision
    with server.runner(f"revisions: [{revision}]\n", "--name", "edge-1") as runner:
        run = server.start(inputs={"word": "hello"})
        assert server.run(run)["steps"][0]["state"] == "waiting"
        confirmed(server, run)
        ended = server.ended(run)
        assert (ended["state"], ended["steps"][0]["output"], ended["steps"][0]["runner"]) == (
            "succeeded",
            "hello\n",
            "edge-1",
        )
        run = server.start("evil")
        confirmed(server, run)
        step = server.ended(run)["steps"][0]
        assert step["state"] == "failed"
        assert "refused by the runner" in step["detail"]
        assert step["output"] == ""
        runner.terminate()
        assert runner.wait(60) == 0


@pytest.fixture(scope="module")
def on_postgresql(
    tmp_path_factory: pytest.TempPathFactory, postgres: PostgresServer, databases: Databases
) -> Iterator[Serving]:
    name = databases.take()
    with serving(tmp_path_factory.mktemp("postgresql"), postgres.url(name)) as opened:
        yield opened
    databases.give_back(name)


@pytest.mark.parametrize(
    ("store", "dies", "repeatable"),
    [
        ("server", "claimed", False),
        ("on_postgresql", "before begin", False),
        ("server", "begun", False),
        ("on_postgresql", "begun", True),
        ("on_postgresql", "running", False),
        ("server", "running", True),
        ("on_postgresql", "before finish", False),
        ("server", "before finish", True),
        ("server", "finished", False),
    ],
)
def test_wherever_a_runner_is_killed_a_step_runs_once_or_is_known_to_be_unknown(
    request: pytest.FixtureRequest, tmp_path: Path, store: str, dies: str, repeatable: bool
) -> None:
    server: Serving = request.getfixturevalue(store)
    mark = tmp_path / "mark"
    wait = "sleep 30" if dies == "running" else "true"
    script = f"echo x >> {mark}\n{wait}"
    revision = server.keep(text_of(block(script, f"run=shell id=a confirm=none{' repeatable' if repeatable else ''}")))
    run = server.start()
    with server.dying_runner(f"revisions: [{revision}]\n", dies) as runner:
        assert runner.wait(90) == -9
    times_begun = len(mark.read_text(encoding="ascii").split()) if mark.exists() else 0
    lost_before_it_began = dies in ("claimed", "before begin")
    assert times_begun == (0 if lost_before_it_began else 1) or dies == "begun"
    if dies == "finished":
        assert server.ended(run)["state"] == "succeeded"
        return
    # Time alone tells that it is lost.
    state = eventually(
        lambda: swept(server, run) if server.run(run)["steps"][0]["state"] != "running" or swept(server, run) else None
    )
    if lost_before_it_began or repeatable:
        assert state == "waiting"
        again = mark.read_text(encoding="ascii") if mark.exists() else ""
        if dies == "running":
            server.admin.post(f"/api/v1/runs/{run}/cancel")
            return
        with server.runner(f"revisions: [{revision}]\n"):
            assert server.ended(run)["state"] == "succeeded"
        assert mark.read_text(encoding="ascii") == again + "x\n"
    else:
        assert server.run(run)["state"] == "unknown"
        with server.runner(f"revisions: [{revision}]\n", "--once"):
            pass
        assert (len(mark.read_text(encoding="ascii").split()) if mark.exists() else 0) == times_begun


def swept(server: Serving, run: str) -> str | None:
    """The state of the step once its lease is gone."""
    watchkeeper = server.watchkeeper
    settings = RunbookSettings.model_validate({"lease_seconds": 5})
    with watchkeeper.db.begin() as session:
        Leases(session, watchkeeper.clock, Actions(), settings).sweep()
    with watchkeeper.db.read() as session:
        found = store_runs.run(session, run)
    assert found is not None
    one = found.steps[0]
    return one.state.value if one.lease_until is None else None


def test_a_killed_runner_takes_its_script_with_it(server: Serving, tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    revision = server.keep(text_of(block(f"echo $$ > {pid_file}; sleep 300", "run=shell id=a confirm=none")))
    run = server.start()
    with server.runner(f"revisions: [{revision}]\n") as runner:
        pid = eventually(lambda: pid_file.read_text(encoding="ascii").strip() if pid_file.exists() else "")
        runner.kill()
        eventually(lambda: not Path(f"/proc/{pid}").exists())
    eventually(lambda: swept(server, run))
    assert server.run(run)["state"] == State.UNKNOWN.value


def test_a_run_that_is_stopped_is_stopped_where_it_runs(server: Serving, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    script = f"echo begun; touch {mark}; sleep 300"
    revision = server.keep(text_of(block(script, "run=shell id=a confirm=none")))
    with server.runner(f"revisions: [{revision}]\n"):
        run = server.start()
        eventually(mark.exists)
        assert server.admin.post(f"/api/v1/runs/{run}/cancel").json()["state"] == "running"
        step = server.ended(run)["steps"][0]
    assert (step["state"], step["output"]) == ("cancelled", "begun\n")


def test_the_list_is_read_again_before_each_step_and_one_that_can_not_be_read_allows_nothing(server: Serving) -> None:
    good = server.keep(text_of(block("echo good", "run=shell id=a confirm=none")))
    late = server.keep(text_of(block("echo late", "run=shell id=a confirm=none")), "late")

    def ended(name: str) -> tuple[str, str]:
        step = server.ended(server.start(name))["steps"][0]
        return step["state"], step["detail"].partition(":")[0]

    with server.runner(f"revisions: [{good}]\n") as runner:
        assert ended("shop") == ("succeeded", "")
        assert ended("late") == ("failed", "refused by the runner")
        server.allow(f"revisions: [{good}, {late}]\n")
        assert ended("late") == ("succeeded", "")
        # What somebody was writing, and did not end: no step is taken, and none fails by it.
        server.allow(f"revisions: [{good}, {late}\n")
        run = server.start("late")
        assert "list can't be read" in line_with(runner, "allow.yaml:2:1")
        assert server.run(run)["steps"][0]["state"] == "waiting"
        server.allow(f"revisions: [{late}]\n")
        assert server.ended(run)["state"] == "succeeded"
        assert ended("shop") == ("failed", "refused by the runner")
        runner.send_signal(signal.SIGHUP)
        assert "The list was read: 1 revisions and 0 patterns are allowed." in line_with(runner, "The list was read")
        server.allow("revisions: 7\n").chmod(0o666)
        runner.send_signal(signal.SIGHUP)
        line_with(runner, "Nothing is allowed")
        assert "chmod o-w" in line_with(runner, "allow.yaml")
        runner.terminate()
        assert runner.wait(60) == 0


def line_with(runner: subprocess.Popen[bytes], words: str) -> str:
    """The next line of its error output with these words."""
    assert runner.stderr is not None
    for line in runner.stderr:
        if words in line.decode():
            return line.decode()
    raise AssertionError(words)


def test_by_https_a_runner_speaks_only_with_whom_its_authority_vouches_for(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    ours, theirs = Authority.founded(tmp_path / "one"), Authority.founded(tmp_path / "two")
    ours.server_of("127.0.0.1")
    with serving(tmp_path / "server", certificate=tmp_path / "one" / "127.0.0.1.pem", authority=ours.file) as server:
        revision = server.keep(text_of(block("echo safe", "run=shell id=a confirm=none")))
        run = server.start()
        with server.runner(f"revisions: [{revision}]\n", "--once", "--ca-file", str(theirs.file)) as runner:
            assert "its certificate is not trusted" in line_with(runner, "--ca-file names an authority")
            assert runner.wait(60) == 1
        with server.watchkeeper.db.read() as session:
            assert store_runs.all_runners(session) == []
        with server.runner(f"revisions: [{revision}]\n", "--once", "--ca-file", str(ours.file)):
            assert server.ended(run)["steps"][0]["output"] == "safe\n"


@pytest.mark.parametrize(
    ("url", "more", "said"),
    [
        ("http://ops.example.com", [], "http:// would send this runner's token"),
        ("http://10.0.0.7:8700", [], "http:// would send this runner's token"),
        ("ops.example.com", [], "an address such as https://ops.example.com was expected"),
        ("https://me:secret@ops.example.com", [], "an address such as https://ops.example.com was expected"),
        ("https://ops.example.com", ["--user", "nobody-at-all"], "there is no user 'nobody-at-all'"),
        ("https://ops.example.com", ["--ca-file", "{folder}/token"], "can't be read as certificates"),
    ],
)
def test_what_would_give_a_token_away_is_refused_before_anything_is_sent(
    tmp_path: Path, url: str, more: list[str], said: str
) -> None:
    (tmp_path / "token").write_text("wk_1", encoding="ascii")
    (tmp_path / "allow.yaml").write_text("commands: ['true']\n", encoding="ascii")
    files = ["--token-file", str(tmp_path / "token"), "--allow", str(tmp_path / "allow.yaml")]
    asked = ["runner", "--url", url, *files, "--as-root", *(one.format(folder=tmp_path) for one in more)]
    ended = CliRunner().invoke(cli, asked)
    assert ended.exit_code == 1
    assert said in ended.stderr
    assert "secret" not in ended.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be refused for being root")
def test_root_is_refused_unless_it_is_said_or_gives_itself_up(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("wk_1", encoding="ascii")
    asked = ["runner", "--url", "https://ops.example.com", "--token-file", str(tmp_path / "token"), "--allow", "none"]
    ended = CliRunner().invoke(cli, asked)
    assert (ended.exit_code, "this is root" in ended.stderr) == (1, True)
    # In a process of its own: there is no way back.
    script = "from watchkeeper.app.cli_runner import _become as b; import os; b('nobody')\n"
    script += "print(os.getuid(), os.geteuid(), os.getgroups(), os.environ['HOME'])\nos.setuid(0)"
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    one = pwd.getpwnam("nobody")
    assert found.stdout.split() == [str(one.pw_uid), str(one.pw_uid), f"[{one.pw_gid}]", one.pw_dir]
    assert "PermissionError" in found.stderr


def test_a_token_of_another_scope_and_a_list_that_is_wrong_end_the_command_with_one_line(server: Serving) -> None:
    read = server.admin.post("/api/v1/tokens", json={"name": "reader", "scopes": ["read", "write"]}).json()["secret"]
    good, server.token_file = server.token_file, server.folder / "reader"
    server.token_file.write_text(read, encoding="ascii")
    try:
        with server.runner("commands: ['true']\n") as runner:
            assert runner.wait(60) == 1
            assert b"a token with the scope runner is needed" in runner.stderr.read()
    finally:
        server.token_file = good
    with server.runner("revisions: [abc]\n") as runner:
        assert runner.wait(60) == 1
        assert b"allow.yaml:1:13: expected text that should match" in runner.stderr.read()


def test_a_runners_token_can_do_nothing_else(server: Serving) -> None:
    headers = {"Authorization": f"Bearer {server.token_file.read_text(encoding='ascii').strip()}"}
    for path in ("/api/v1/runbooks", "/api/v1/runs", "/api/v1/services"):
        assert server.admin.get(path, headers=headers).status_code == 403
    assert server.admin.post("/api/v1/runner/claim", json={"runner": "x"}).status_code == 403
