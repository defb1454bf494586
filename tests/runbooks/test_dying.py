"""Killed without warning, wherever it hurts: the server, while a runner lives on; on both stores."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.runbooks.dying_server import POINTS
from tests.runbooks.serving import ROOT, process
from tests.runbooks.support import block, text_of
from tests.support.running import eventually
from watchkeeper.kernel.clock import SystemClock
from watchkeeper.kernel.db.database import open_database
from watchkeeper.modules.identity.control import LOCAL
from watchkeeper.modules.runbooks.reading import content_of
from watchkeeper.modules.runbooks.service import Runbooks

# What nobody heard of before the server died never began, or is told again; only of a step that the server believes to
# have begun, and whose runner was never told so, nobody can say.
UNKNOWN = "after begin"


@dataclass
class Mortal:
    """A server that dies at points, its folder, and somebody with all rights."""

    process: subprocess.Popen[str]
    url: str
    data: Path

    def live(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("live\n")
        self.process.stdin.flush()
        self.hear("lives")

    def hear(self, word: str) -> None:
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == f"{word}\n"

    def dies(self, point: str) -> None:
        (self.data.parent / "dies").write_text(point, encoding="ascii")

    def ask(self, method: str, path: str, **said: Any) -> dict[str, Any]:
        secret = (self.data / "control.token").read_text(encoding="ascii").strip()
        headers = {"Authorization": f"Bearer {secret}"}
        answer = httpx.request(method, f"{self.url}/api/v1{path}", headers=headers, trust_env=False, **said)
        assert answer.is_success, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def ended(self, run: str) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            found = self.ask("GET", f"/runs/{run}")
            return found if found["finished_at"] else None

        found = eventually(look, within=90)
        assert found is not None
        return found


@contextmanager
def mortal_server(data: Path, database_url: str) -> Iterator[Mortal]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("WATCHKEEPER_")}
    started = subprocess.Popen(
        [sys.executable, "-m", "tests.runbooks.dying_server", str(data), database_url],
        cwd=ROOT,
        env=environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert started.stdout is not None
        yield Mortal(started, f"http://127.0.0.1:{started.stdout.readline().strip()}", data)
    finally:
        os.killpg(started.pid, signal.SIGKILL)
        started.communicate()


# On PostgreSQL one of each kind: nothing had begun, nobody can say, all was done. A life takes a second.
@pytest.mark.parametrize(
    ("store", "points"), [("sqlite", POINTS), ("postgresql", ("before begin", "after begin", "after finish"))]
)
def test_wherever_the_server_is_killed_a_step_runs_once_or_is_known_to_be_unknown(
    store: str, points: Sequence[str], request: pytest.FixtureRequest, tmp_path: Path, migrated_folder: Path
) -> None:
    data, mark = tmp_path / "data", tmp_path / "mark"
    shutil.copytree(migrated_folder, data)
    database_url = request.getfixturevalue("postgres_url") if store == "postgresql" else ""
    content = content_of("shop", text_of(block(f"echo x >> {mark}; sleep 2", "run=shell id=a confirm=none")))
    database = open_database(database_url or None, data)
    with database.begin() as session:
        Runbooks(session, SystemClock()).put(content, by="local", source="ops")
        Runbooks(session, SystemClock()).approve("shop", content.revision, by=LOCAL, source="cli")
    database.close()
    (tmp_path / "allow.yaml").write_text(f"revisions: [{content.revision}]\n", encoding="ascii")
    with mortal_server(data, database_url) as server:
        server.live()
        made = server.ask("POST", "/tokens", json={"name": "runner", "scopes": ["runner"]})
        (tmp_path / "token").write_text(made["secret"], encoding="ascii")
        command = ["-m", "watchkeeper", "runner", "--url", server.url, "--token-file", str(tmp_path / "token")]
        with process([*command, "--allow", str(tmp_path / "allow.yaml"), "--as-root"], {}):
            for point in points:
                mark.unlink(missing_ok=True)
                server.dies(point)
                run = server.ask("POST", "/runbooks/shop/runs", json={})["id"]
                server.hear("died")
                server.dies("")
                server.live()
                ended = server.ended(run)
                assert ended["state"] == ("unknown" if point == UNKNOWN else "succeeded"), point
                begun = mark.read_text(encoding="ascii").split() if mark.exists() else []
                assert begun == ([] if point == UNKNOWN else ["x"]), point
