"""A server that takes in telemetry while it is backed up, and everything it had acknowledged before."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import httpx
from starlette.testclient import TestClient

from tests.app.backup.support import PASSPHRASE
from tests.support.running import RunningServer, eventually, running_server
from tests.telemetry.support import spans
from watchkeeper.app.backup.format import Container
from watchkeeper.app.backup.locks import Keys, lock_by_passphrase
from watchkeeper.app.backup.restore import Destination, restore
from watchkeeper.app.backup.settings import BackupSettings
from watchkeeper.app.backup.targets import find
from watchkeeper.app.configuration import load_configuration
from watchkeeper.app.server import Watchkeeper
from watchkeeper.kernel.clock import SystemClock
from watchkeeper.modules.identity.control import ControlToken

PROTOBUF = {"Content-Type": "application/x-protobuf"}


class Sender:
    """Sends one span after another, and remembers what was acknowledged."""

    def __init__(self, server: RunningServer) -> None:
        self._server = server
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.acknowledged: list[str] = []

    def __enter__(self) -> Sender:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        with httpx.Client(base_url=self._server.url) as client:
            seed = 0
            while not self._stop.is_set():
                seed += 1
                request = spans(time.time_ns(), seed=seed)
                answer = client.post("/v1/traces", content=request.SerializeToString(), headers=PROTOBUF)
                assert answer.status_code == 200, answer.text
                self.acknowledged.append(request.resource_spans[0].scope_spans[0].spans[0].trace_id.hex())
                time.sleep(0.01)


def back_up(server: RunningServer, target: Path) -> None:
    """To this directory, by the API."""
    lock = lock_by_passphrase(PASSPHRASE)
    order = {"target": str(target), "passphrase": {"salt": lock.public["salt"], "key": lock.key.hex()}}
    path = server.client.post("/api/v1/backups", json=order).raise_for_status().headers["Location"]
    eventually(lambda: server.client.get(path).json()["state"] == "made")


def test_what_was_acknowledged_before_the_backup_is_found_after_the_restore(tmp_path: Path) -> None:
    (tmp_path / "target").mkdir()
    with running_server(tmp_path / "data") as server, Sender(server) as sender:
        eventually(lambda: len(sender.acknowledged) > 150)
        before = list(sender.acknowledged)
        back_up(server, tmp_path / "target")
    place, name = find(str(tmp_path / "target"), BackupSettings())
    container = Container.open(place.open(name), Keys(passphrase=lambda: PASSPHRASE).open)
    restore(container, Destination(tmp_path / "new"), SystemClock())
    with Watchkeeper.open(load_configuration({}, data=tmp_path / "new"), background=False) as watchkeeper:
        watchkeeper.store.flusher.flush()
        control = ControlToken.read(tmp_path / "new")
        assert control is not None
        headers = {"Authorization": f"Bearer {control.secret}"}
        client = TestClient(watchkeeper.app, client=("127.0.0.1", 40_000), headers=headers)
        answers = [client.get(f"/api/v1/telemetry/traces/{trace}").status_code for trace in before]
    assert answers == [200] * len(before)
