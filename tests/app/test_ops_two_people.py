"""Two people apply at once, each from their own machine: one wins, the other sees the plan as it is now."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.running import RunningServer, running_server

TEAMS = ("Team A", "Team B")


@pytest.fixture(params=["sqlite", "postgresql"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RunningServer]:
    """`watchkeeper up` on either database."""
    settings = {"WATCHKEEPER_SELF_TELEMETRY": "false"}
    if request.param == "postgresql":
        settings["WATCHKEEPER_DATABASE_URL"] = request.getfixturevalue("postgres_url")
    with running_server(tmp_path / "data", settings) as running:
        yield running


@pytest.fixture
def environ(server: RunningServer) -> dict[str, str]:
    """Both reach the server over the network, with a token."""
    order = {"name": "both", "scopes": ["admin"]}
    answer = server.client.post("/api/v1/tokens", json=order, headers={"Idempotency-Key": "both"})
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("WATCHKEEPER_", "OTEL_"))}
    secret = answer.raise_for_status().json()["secret"]
    return {**kept, "WATCHKEEPER_SERVER": server.url, "WATCHKEEPER_TOKEN": secret}


@pytest.fixture
def directories(tmp_path: Path) -> dict[str, Path]:
    """What each of them wants."""
    found = {}
    for team in TEAMS:
        directory = tmp_path / team.replace(" ", "-")
        (directory / "services").mkdir(parents=True)
        (directory / "services" / "web.yaml").write_text(f"name: web\nowner: {team}\n", encoding="utf-8")
        found[team] = directory
    return found


def _command(*words: str | Path) -> list[str]:
    return [sys.executable, "-m", "watchkeeper", *(str(word) for word in words)]


def _fingerprint(server: RunningServer, directory: Path) -> str:
    files = {"services/web.yaml": (directory / "services" / "web.yaml").read_text(encoding="utf-8")}
    plan = server.client.post("/api/v1/ops/plan", json={"files": files}).raise_for_status().json()
    return str(plan["fingerprint"])


def _owner(server: RunningServer) -> str:
    return str(server.client.get("/api/v1/services/web").raise_for_status().json()["owner"])


def _kinds(server: RunningServer) -> list[str]:
    items = server.client.get("/api/v1/timeline?kind=catalog.,ops.").raise_for_status().json()["items"]
    return sorted(item["kind"] for item in items)


def test_one_wins_and_the_other_gets_the_fresh_plan_and_exit_code_1(
    server: RunningServer, environ: dict[str, str], directories: dict[str, Path]
) -> None:
    looked_at = {team: _fingerprint(server, directory) for team, directory in directories.items()}
    ready = threading.Barrier(len(TEAMS))
    ended: dict[str, subprocess.CompletedProcess[str]] = {}

    def apply(team: str) -> None:
        ready.wait()
        command = _command("apply", directories[team], "--yes", "--fingerprint", looked_at[team])
        ended[team] = subprocess.run(command, env=environ, capture_output=True, encoding="utf-8", check=False)

    threads = [threading.Thread(target=apply, args=(team,)) for team in TEAMS]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    winner, loser = sorted(TEAMS, key=lambda team: ended[team].returncode)
    assert [ended[team].returncode for team in (winner, loser)] == [0, 1], ended
    assert "Applied: 1 created, 0 unchanged." in ended[winner].stdout
    assert f"    owner: {winner} → {loser}" in ended[loser].stdout
    assert "Plan: 1 to change, 0 unchanged." in ended[loser].stdout
    assert "Something changed since this plan was made." in ended[loser].stderr
    assert _owner(server) == winner
    assert _kinds(server) == ["catalog.service_declared", "ops.applied"]


def test_who_said_yes_to_a_plan_that_is_another_by_now_sees_the_new_one(
    server: RunningServer, environ: dict[str, str], directories: dict[str, Path]
) -> None:
    slow, quick = TEAMS
    with subprocess.Popen(
        _command("apply", directories[slow]),
        env={**environ, "PYTHONUNBUFFERED": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    ) as asked:
        assert asked.stdout is not None
        # The plan is on the screen: from now on it is what they say yes to.
        while "1 to create" not in asked.stdout.readline():
            assert asked.poll() is None
        subprocess.run(_command("apply", directories[quick], "--yes"), env=environ, capture_output=True, check=True)
        printed, refused = asked.communicate("y\n")
    assert asked.returncode == 1
    assert f"    owner: {quick} → {slow}" in printed
    assert "Something changed since this plan was made." in refused
    assert _owner(server) == quick
