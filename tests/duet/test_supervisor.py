"""Duet as processes: all of them come up, and none stays behind."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.support.otlp_sink import otlp_sink

REPOSITORY = Path(__file__).parents[2]
_LARGEST_KB = 70_000


@contextmanager
def running(tmp_path: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, str]]]:
    """The supervisor, once it says that Duet is up, and where its services are."""
    command = [sys.executable, "-m", "examples.duet", "run", f"--data={tmp_path}", "--members=200", *options]
    process = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True)
    try:
        line = process.stdout.readline()
        yield process, dict(re.findall(r"(\w+) v\d (http://[\d.:]+)", line))
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def all_gone(pids: list[int]) -> bool:
    until = time.monotonic() + 10
    while time.monotonic() < until:
        if not any(_lives(pid) for pid in pids):
            return True
        time.sleep(0.05)
    return False


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


needs_proc = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks at processes through /proc")


@needs_proc
def test_all_services_answer_and_members_come(tmp_path: Path):
    with running(tmp_path, "--rate=40", "--from-hour=20") as (process, urls):
        assert set(urls) == {"gateway", "matching", "chat"}
        assert all(httpx.get(f"{url}/healthz", trust_env=False).is_success for url in urls.values())
        log = tmp_path / "logs" / "duet-matching.jsonl"
        until = time.monotonic() + 15
        while "offers presented" not in log.read_text() and time.monotonic() < until:
            time.sleep(0.1)
        assert "offers presented" in log.read_text()
        for child in children(process.pid):
            status = Path(f"/proc/{child}/status").read_text()
            assert int(re.search(r"VmRSS:\s+(\d+)", status).group(1)) < _LARGEST_KB


@needs_proc
@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_no_process_stays_behind_however_it_ends(tmp_path: Path, sign: signal.Signals):
    with running(tmp_path, "--rate=20") as (process, _):
        until = time.monotonic() + 5
        while len(started := children(process.pid)) < 4 and time.monotonic() < until:
            time.sleep(0.05)
        assert len(started) == 4

        os.kill(process.pid, sign)

        assert all_gone(started)
        assert process.wait(10) == (-signal.SIGKILL if sign is signal.SIGKILL else 0)


@needs_proc
def test_a_service_that_dies_is_started_again_on_its_port(tmp_path: Path):
    with running(tmp_path, "--rate=0") as (process, urls):
        os.kill(children(process.pid)[0], signal.SIGKILL)  # the gateway

        assert "starting it again" in process.stdout.readline()
        assert httpx.get(f"{urls['gateway']}/healthz", timeout=15, trust_env=False).is_success


def test_all_three_signals_of_every_service_arrive_with_routes_and_releases(tmp_path: Path):
    options = ("--rate=60", "--from-hour=20", "--release=chat=v2")
    with otlp_sink() as sink, running(tmp_path, *options, f"--endpoint={sink.url}") as (process, _):
        time.sleep(5)
        process.terminate()
        process.wait(15)

    found = {
        tuple(resource[name] for name in ("service.name", "service.version", "deployment.environment.name"))
        for resource in (sink.resource_of(span) for span in sink.spans())
    }
    spans, metrics, logs = sink.spans(), sink.metrics(), sink.logs()
    assert {("duet-gateway", "v1", "demo"), ("duet-matching", "v1", "demo"), ("duet-chat", "v2", "demo")} >= found
    assert len(found) >= 2
    assert {"POST /v1/auth/login", "GET /v1/offers", "POST /v1/offers/{offer_id}/actions"} <= set(spans)
    assert {"duet.offers.presented", "http.server.request.duration", "process.memory.usage"} <= set(metrics)
    assert logs["signed in"].trace_id


def test_members_talk_over_live_connections_and_reports_are_looked_at(tmp_path: Path):
    # A short day has the morning of every region in it, and its evening is busy.
    options = ("--rate=8", "--from-hour=20", "--day-seconds=20")
    events = {"duet.message.accepted", "duet.message.delivered", "duet.report.filed", "duet.report.triaged"}
    counters = {"duet.sessions.connected", "duet.sessions.lasted", "duet.offers.mutual", "duet.daily_offers.in_time"}
    with otlp_sink() as sink, running(tmp_path, *options, f"--endpoint={sink.url}") as (process, _):
        until = time.monotonic() + 40
        while not (events <= set(sink.logs()) and counters <= set(sink.metrics())) and time.monotonic() < until:
            time.sleep(0.5)
        process.terminate()
        process.wait(15)

    named = {record.event_name for record in sink.logs().values() if record.event_name}
    assert events <= named
    assert counters <= set(sink.metrics())
    assert "GET /v1/stream" not in sink.spans()
    [delivered] = [one for one in sink.logs()["duet.message.delivered"].attributes if one.key == "duet.message_id"]
    assert delivered.value.string_value.isdigit()


def test_a_port_that_is_taken_is_said_in_one_line(tmp_path: Path):
    with running(tmp_path, "--rate=0") as (_, urls):
        port = urls["gateway"].rpartition(":")[2]
        command = [sys.executable, "-m", "examples.duet", "run", f"--data={tmp_path}/b", f"--ports-from={port}"]
        done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=30)

    assert done.returncode == 1
    assert re.fullmatch(rf"Duet can't run: gateway can't have port {port}: .*; see --ports-from\n", done.stderr)


def test_an_unknown_release_is_said_in_one_line(tmp_path: Path):
    command = [sys.executable, "-m", "examples.duet", "run", f"--data={tmp_path}", "--release=v7"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=30)

    assert done.returncode == 1
    assert done.stderr == "Duet can't run: release 'v7' is unknown: choose v1 or v2\n"


def release(tmp_path: Path, *choices: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "examples.duet", "release", f"--data={tmp_path}", *choices]
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=120)


def test_another_release_takes_over_while_members_are_served_and_is_taken_back(tmp_path: Path):
    with running(tmp_path, "--rate=0") as (process, urls):
        old = children(process.pid)
        answers: list[int] = []
        over = threading.Event()

        def ask() -> None:
            while not over.wait(0.02):
                answers.append(httpx.get(f"{urls['chat']}/healthz", timeout=30, trust_env=False).status_code)

        asking = threading.Thread(target=ask)
        asking.start()
        try:
            assert "chat v2" in release(tmp_path, "chat=v2").stdout
            assert "chat v2 runs in place of v1" in process.stdout.readline()
            assert httpx.get(f"{urls['chat']}/healthz", trust_env=False).json()["release"] == "v2"
            assert httpx.get(f"{urls['matching']}/healthz", trust_env=False).json()["release"] == "v1"
            assert "chat v1" in release(tmp_path, "chat=v1").stdout
            assert httpx.get(f"{urls['chat']}/healthz", trust_env=False).json()["release"] == "v1"
        finally:
            over.set()
            asking.join()
        assert set(answers) == {200}
        assert len(children(process.pid)) == len(old)


def test_what_is_no_release_is_refused_and_nothing_runs_where_there_is_no_duet(tmp_path: Path):
    for wrong in ("chat", "chat=v9", "billing=v1"):
        refused = release(tmp_path, wrong)
        assert (refused.returncode, "Nothing was rolled out" in refused.stderr) == (1, True)
    assert "no Duet runs" in release(tmp_path, "chat=v2").stderr
