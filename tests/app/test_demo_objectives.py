"""What the sample product promises, counted from its real traffic: the good release keeps it, the bad one does not."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.running import eventually, running_server
from watchkeeper.kernel.ops import read_directory

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends children of the killed")
_REPOSITORY = Path(__file__).resolve().parents[2]
_OPS = _REPOSITORY / "examples" / "duet" / "ops"
# All that makes it quicker than a demo: looks every second, telemetry sent every second, a short day.
_SERVER = {"WATCHKEEPER_SLO_EVALUATE_SECONDS": "1"}
_SENDS = {"OTEL_METRIC_EXPORT_INTERVAL": "1000", "OTEL_BSP_SCHEDULE_DELAY": "1000", "OTEL_BLRP_SCHEDULE_DELAY": "1000"}
_DUET = ("--rate=8", "--from-hour=20", "--members=1000", "--day-seconds=40")
_BROKEN = {"api-availability", "server-errors", "daily-offers", "offers-latency"}
# How quick requests are says as much of the machine as of the release, so of latencies only the worst is looked at.
_UNTOUCHED = {
    "connection-stability",
    "mutual-accept-rate",
    "safety-critical-response",
    "safety-high-response",
    "safety-standard-response",
}
Figures = dict[tuple[str, str], dict[str, Any]]


@contextmanager
def duet(data: Path, url: str, *releases: str) -> Iterator[None]:
    """The product and its members, until the block ends."""
    data.mkdir()
    chosen = [f"--release={release}" for release in releases]
    command = [sys.executable, "-m", "examples.duet", "run", f"--data={data}", f"--endpoint={url}", *_DUET, *chosen]
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("WATCHKEEPER_", "OTEL_"))}
    with (data / "duet.out").open("wb") as output:
        process = subprocess.Popen(command, cwd=_REPOSITORY, env={**environ, **_SENDS}, stdout=output, stderr=output)
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def figures(client: httpx.Client) -> Figures:
    return {(one["slo"], one["objective"]): one for one in client.get("/api/v1/slos").json()["items"]}


def fired(found: Figures, action: str | None = None) -> set[str]:
    return {
        slo
        for (slo, _), one in found.items()
        for alert in one["alerts"]
        if alert["kind"] == "burn" and action in (None, alert["action"])
    }


def counted(found: Figures) -> Mapping[tuple[str, str], float]:
    return {key: one["counts"]["total"] for key, one in found.items() if one["counts"]["total"] > 0}


def test_the_good_release_keeps_its_promises_and_the_bad_one_breaks_those_that_it_should(tmp_path: Path) -> None:
    with running_server(tmp_path / "data", _SERVER) as server:
        # Who is called needs Duet's people, who are part of the demo.
        files = {path: text for path, text in read_directory(_OPS).items() if not path.startswith("oncall/")}
        applied = server.client.post("/api/v1/ops/apply", json={"files": files})
        assert applied.is_success, applied.text
        all_of_them = set(figures(server.client))
        assert len(all_of_them) == 20

        with duet(tmp_path / "v1", server.url):
            eventually(lambda: all_of_them == set(counted(figures(server.client))), within=180)
            good = figures(server.client)
        assert not fired(good) & (_UNTOUCHED | {"api-availability", "server-errors", "daily-offers"})
        assert good["api-availability", "main"]["share"] == 1
        assert good["daily-offers", "main"]["share"] == 1
        assert good["mutual-accept-rate", "main"]["share"] > 0.2

        with duet(tmp_path / "v2", server.url, "chat=v2", "matching=v2"):
            eventually(lambda: fired(figures(server.client)) >= _BROKEN, within=240)
            bad = figures(server.client)
    assert {"api-availability", "daily-offers"} <= fired(bad, "page")
    assert not fired(bad) & _UNTOUCHED
    # A machine that stalls may keep a message for more than five seconds; the release loses none.
    assert bad["message-delivery", "main"]["share"] > 0.9
    assert bad["daily-offers", "main"]["share"] < 0.8
