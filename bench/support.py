"""What the benchmarks share: a real server in a process of its own, and a table that says on what it was measured."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import httpx


@dataclass(frozen=True)
class Server:
    """A running `watchkeeper up`."""

    process: subprocess.Popen[bytes]
    url: str
    data: Path
    ready_after: float

    @property
    def token(self) -> str:
        return (self.data / "control.token").read_text().strip()

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {self.token}"}, timeout=60)

    def resident_mb(self) -> float:
        """Resident memory of the process now."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024  # type: ignore[index]

    def cpu_seconds(self) -> float:
        """Processor time of the process so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def running_server(*, cpus: set[int] | None = None, data: Path | None = None, **settings: str) -> Iterator[Server]:
    """Start a server on this or empty data and a free port; `cpus` pins it. Everything is gone afterwards."""
    data = data or Path(tempfile.mkdtemp(prefix="wk-bench-"))
    environ = {key: value for key, value in os.environ.items() if not key.startswith("WATCHKEEPER_")}
    environ |= {f"WATCHKEEPER_{key.upper()}": value for key, value in settings.items()}
    command = [sys.executable, "-m", "watchkeeper", "up", "--data", str(data), "--port", "0"]
    started = time.monotonic()
    log = (data / "log").open("wb")
    process = subprocess.Popen(
        command,
        env=environ,
        stdout=log,
        stderr=log,
        preexec_fn=(lambda: os.sched_setaffinity(0, cpus)) if cpus else None,
    )
    try:
        url = _wait_until_ready(process, data, started)
        yield Server(process, url, data, time.monotonic() - started)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
        log.close()
        shutil.rmtree(data, ignore_errors=True)


def _wait_until_ready(process: subprocess.Popen[bytes], data: Path, started: float) -> str:
    while time.monotonic() - started < 60:
        if process.poll() is not None:
            raise SystemExit(f"the server ended: {(data / 'log').read_text()[-2000:]}")
        with contextlib.suppress(OSError, ValueError, KeyError, httpx.TransportError):
            url = str(json.loads((data / "server.lock").read_text())["url"])
            if httpx.get(f"{url}/readyz", timeout=1).status_code == 200:
                return url
        time.sleep(0.02)
    raise SystemExit("the server did not become ready within 60 s")


def machine() -> str:
    """One line: processor, cores, memory, Python and the libraries that matter."""
    info = Path("/proc/cpuinfo").read_text()
    model = re.search(r"model name\s*: (.+)", info)
    memory = int(re.search(r"MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text())[1]) / 1e6  # type: ignore[index]
    libraries = ", ".join(f"{name} {version(name)}" for name in ("duckdb", "protobuf", "arro3-core"))
    name = model[1] if model else platform.machine()
    return f"{name}, {os.cpu_count()} cores, {memory:.0f} GB; Python {platform.python_version()}, {libraries}"


def headline(title: str) -> None:
    """Print what is measured, where, when, and how busy the machine was with other things."""
    print(f"{title}\n{machine()}; load average {os.getloadavg()[0]:.1f}\n{datetime.now(UTC):%Y-%m-%d}\n")
