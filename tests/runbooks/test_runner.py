"""Runners as processes, over HTTP, and what is left when they are killed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.runbooks.serving import Serving, serving
from tests.runbooks.support import block, text_of
from tests.support.running import eventually
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


@pytest.mark.parametrize(
    ("dies", "repeatable"),
    [
        ("claimed", False),
        ("before begin", False),
        ("begun", False),
        ("begun", True),
        ("running", False),
        ("running", True),
        ("before finish", False),
        ("before finish", True),
        ("finished", False),
    ],
)
def test_wherever_a_runner_is_killed_a_step_runs_once_or_is_known_to_be_unknown(
    server: Serving, tmp_path: Path, dies: str, repeatable: bool
) -> None:
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
