"""A server dies in ways in which it can say little or nothing: another Watchkeeper, to which it sends its heartbeat,
notices each time, and hears it again when it is well.

Periods are a fifteenth of what they are by default, and the bounds of waiting many times what a quick machine needs.
Deaths in which the process is well are in `tests/oncall/paging/test_deaths_noticed.py`.
"""

from __future__ import annotations

import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support import mortal
from tests.support.running import RunningServer, eventually, running_server

WITHIN = 120.0
# Five words of a server that is well.
SILENCE = 10.0
SHORT = {
    "WATCHKEEPER_ONCALL_AUDIT_SECONDS": "2",
    "WATCHKEEPER_ONCALL_PROBE_SECONDS": "2",
    "WATCHKEEPER_ONCALL_LATE_SECONDS": "5",
    "WATCHKEEPER_OUTBOUND_PRIVATE_NETWORKS": "127.0.0.0/8",
}


@dataclass
class Pair:
    """A server that is watched, and the one that hears its heartbeat."""

    watched: RunningServer
    other: RunningServer
    data: Path

    def pings(self) -> list[dict[str, Any]]:
        """Newest first."""
        answer = self.other.client.get("/api/v1/alerts/heartbeats/first")
        found: list[dict[str, Any]] = answer.raise_for_status().json()["pings"]
        return found

    def is_heard(self) -> bool:
        """Whether a word that all is well comes that was not there yet."""
        before, until = self._newest()["at"], time.monotonic() + WITHIN
        while time.monotonic() < until:
            newest = self._newest()
            if newest["kind"] == "success" and newest["at"] > before:
                return True
            time.sleep(0.5)
        return False

    def is_missed(self) -> bool:
        """Whether no word comes any more that all is well. On a slow machine one or the other word of trouble may."""
        until, heard = time.monotonic() + WITHIN, ""
        since = time.monotonic()
        while time.monotonic() < until:
            newest = next((one["at"] for one in self.pings() if one["kind"] == "success"), "")
            if newest != heard:
                heard, since = newest, time.monotonic()
            elif time.monotonic() - since > SILENCE:
                return True
            time.sleep(0.5)
        return False

    def is_told(self, reason: str) -> bool:
        """Whether the outside is told that this is wrong."""
        return eventually(
            lambda: any(one["kind"] == "fail" and reason in str(one["body"]) for one in self.pings()), within=WITHIN
        )

    def say(self, line: str) -> None:
        """Make the watched server ill, or well."""
        assert self.watched.process.stdin is not None
        self.watched.process.stdin.write(f"{line}\n".encode())
        self.watched.process.stdin.flush()

    def _newest(self) -> dict[str, Any]:
        return next(iter(self.pings()), {"at": "", "kind": ""})


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    folder = tmp_path_factory.mktemp("pair")
    with running_server(folder / "other") as other:
        said = {"name": "first", "period_seconds": 60, "grace_seconds": 60}
        made = other.client.post("/api/v1/alerts/heartbeats", json=said).raise_for_status().json()
        settings = {**SHORT, "WATCHKEEPER_ONCALL_HEARTBEAT_URL": f"{other.url}{made['ping_path']}"}
        with running_server(folder / "watched", settings, program=(mortal.__file__,)) as watched:
            yield Pair(watched, other, folder / "watched")


def test_while_it_is_well_the_other_hears_it(pair: Pair) -> None:
    assert pair.is_heard()
    assert pair.other.client.get("/api/v1/alerts/heartbeats/first").json()["state"] == "up"
    text = pair.watched.client.get("/metrics").text
    assert "watchkeeper_paging_findings 0.0" in text
    through = eventually(
        lambda: [
            line
            for line in pair.watched.client.get("/metrics").text.splitlines()
            if line.startswith("watchkeeper_paging_synthetic_seconds{")
        ],
        within=60,
    )
    assert len(through) == 4, "accept, call, lease, send: over its own address"
    assert pair.watched.client.get("/api/v1/alerts").raise_for_status().json()["items"] == []


def test_a_process_that_hangs(pair: Pair) -> None:
    assert pair.is_heard()
    pair.watched.process.send_signal(signal.SIGSTOP)
    try:
        assert pair.is_missed()
    finally:
        pair.watched.process.send_signal(signal.SIGCONT)
    assert pair.is_heard()


def test_a_scheduler_that_is_blocked(pair: Pair) -> None:
    assert pair.is_heard()
    pair.say("block paging")
    assert pair.is_missed()
    pair.say("unblock")
    assert pair.is_heard()


def test_a_queue_of_alerts_that_is_blocked_is_told(pair: Pair) -> None:
    """Nobody looks at silences that end, nor at heartbeats that are late."""
    assert pair.is_heard()
    pair.say("block alerts")
    assert pair.is_told("recurring.alerts.")
    down = pair.other.client.get("/api/v1/alerts/heartbeats/first").json()
    assert down["state"] == "down", "at once, for it was told"
    pair.say("unblock")
    assert pair.is_heard()


def test_a_database_that_is_read_only(pair: Pair) -> None:
    assert pair.is_heard()
    pair.say("read-only on")
    assert pair.is_missed()
    pair.say("read-only off")
    assert pair.is_heard()


def test_a_disk_that_takes_nothing_more(pair: Pair) -> None:
    assert pair.is_heard()
    pid, (soft, hard) = pair.watched.process.pid, resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, hard))
    try:
        assert pair.is_missed()
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (soft, hard))
    assert pair.is_heard()


def test_killed_and_started_with_a_configuration_that_is_wrong(pair: Pair) -> None:
    assert pair.is_heard()
    pair.watched.process.kill()
    pair.watched.process.wait()
    assert pair.is_missed()
    again = subprocess.run(
        [sys.executable, "-m", "watchkeeper", "up", "--port", "0", "--data", str(pair.data)],
        env={**SHORT, "WATCHKEEPER_ONCALL_PROBE_SECONDS": "often", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=WITHIN,
        check=False,
    )
    assert again.returncode != 0
    assert "WATCHKEEPER_ONCALL_PROBE_SECONDS" in again.stderr + again.stdout
    assert pair.is_missed(), "it did not start, and says so where it was started"
