"""The status page of a real server: served while PostgreSQL is stopped, exported, published from the command line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from tests.conftest import missing
from tests.support.postgres import PostgresMissing, PostgresServer
from tests.support.running import RunningServer, eventually, running_server
from watchkeeper.app.cli import cli
from watchkeeper.modules.status.apps import PATHS


@pytest.fixture(scope="module")
def own_postgres() -> Iterator[PostgresServer]:
    """A server that this module may stop."""
    try:
        server = PostgresServer()
    except PostgresMissing as error:
        missing(str(error))
        return
    yield server
    server.close()


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("status") / "data"


@pytest.fixture(scope="module")
def server(own_postgres: PostgresServer, data: Path) -> Iterator[RunningServer]:
    with running_server(data, {"WATCHKEEPER_DATABASE_URL": own_postgres.url()}) as running:
        made = running.client.put("/api/v1/status/components/chat", json={"title": "Chat", "services": ["chat"]})
        assert made.status_code == 200, made.text
        yield running


def page(server: RunningServer) -> str:
    return httpx.get(f"{server.url}/status", trust_env=False, timeout=30).text


def run(data: Path, own_postgres: PostgresServer, *arguments: str) -> str:
    result = CliRunner().invoke(
        cli, ["status", *arguments, "--data", str(data), "--database-url", own_postgres.url()], catch_exceptions=False
    )
    assert result.exit_code == 0, result.output
    return result.output


def test_a_draft_is_shown_published_and_seen(server: RunningServer, data: Path, own_postgres: PostgresServer) -> None:
    order = {
        "title": "Chat is slow",
        "status": "investigating",
        "body": "We look into it.",
        "components": {"chat": "degraded_performance"},
    }
    made = server.client.post("/api/v1/status/updates", json=order).json()
    assert "Chat is slow" in run(data, own_postgres, "publish")
    assert "Public since" in run(data, own_postgres, "publish", made["id"])
    eventually(lambda: "Chat is slow" in page(server))
    shown = run(data, own_postgres, "show")
    assert "Degraded performance" in shown
    assert "degraded performance" in shown


def test_the_export_is_written_and_replaces_only_its_own(
    server: RunningServer, data: Path, own_postgres: PostgresServer, tmp_path: Path
) -> None:
    for _ in range(2):
        run(data, own_postgres, "export", str(tmp_path / "site"))
    assert "Chat" in (tmp_path / "site/index.html").read_text()
    assert json.loads((tmp_path / "site/api/v2/status.json").read_text())["status"]["indicator"] in ("none", "minor")
    (tmp_path / "home").mkdir()
    (tmp_path / "home/thesis.txt").write_text("years")
    refused = CliRunner().invoke(
        cli, ["status", "export", str(tmp_path / "home"), "--data", str(data), "--database-url", own_postgres.url()]
    )
    assert refused.exit_code == 1
    assert (tmp_path / "home/thesis.txt").read_text() == "years"


def test_what_was_published_by_mistake_is_withdrawn(
    server: RunningServer, data: Path, own_postgres: PostgresServer
) -> None:
    order = {"title": "Initech is down", "status": "investigating", "body": "Their disks."}
    made = server.client.post("/api/v1/status/updates", json=order).json()
    run(data, own_postgres, "publish", made["id"])
    eventually(lambda: "Initech" in page(server))
    assert "one update" in run(data, own_postgres, "withdraw", made["incident"]["id"], "--reason", "the wrong page")
    eventually(lambda: "Initech" not in page(server))


# The last of this module: the database is gone meanwhile.
def test_the_page_is_served_and_exported_while_postgresql_is_stopped(
    server: RunningServer, own_postgres: PostgresServer, data: Path, tmp_path: Path
) -> None:
    eventually(lambda: "Chat" in page(server))
    own_postgres.stop_immediately()
    with httpx.Client(base_url=server.url, trust_env=False, timeout=60) as reader:
        assert eventually(lambda: reader.get("/readyz").status_code == 503)
        for path in PATHS:
            answer = reader.get(path)
            assert answer.status_code == 200, path
        assert "Chat" in reader.get("/status").text
        first = reader.get("/status")
        assert reader.get("/status", headers={"if-none-match": first.headers["etag"]}).status_code == 304
    said = run(data, own_postgres, "export", str(tmp_path / "site"))
    assert "what the server rendered last" in said
    assert "Chat" in (tmp_path / "site/index.html").read_text()
    own_postgres.start()
    # Once it is back, so is the rest.
    eventually(lambda: server.client.get("/api/v1/status").status_code == 200)
