"""Cold start, resident memory and the size of an installation.

`python -m bench.startup_memory [--starts 5] [--rest 60] [--minutes 10] [--no-install]`
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.support import headline, running_server

ROOT = Path(__file__).parents[1]


def cold_starts(count: int) -> list[float]:
    """Seconds from the command to the first 200 of /readyz, each on empty data."""
    found = []
    for _ in range(count):
        with running_server() as server:
            found.append(server.ready_after)
    return found


def at_rest(seconds: int) -> float:
    """Resident megabytes of a server that nobody asks anything."""
    with running_server() as server:
        time.sleep(seconds)
        return server.resident_mb()


def under_demo(minutes: float) -> tuple[float, float]:
    """(last, highest) resident megabytes of the server while Duet's traffic comes in."""
    with tempfile.TemporaryDirectory(prefix="wk-bench-") as folder:
        command = [sys.executable, "-m", "watchkeeper", "demo", "--data", f"{folder}/data", "--port", "0"]
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            server = _server_of(process, Path(folder) / "data")
            until = time.monotonic() + minutes * 60
            seen = [0.0]
            while time.monotonic() < until and process.poll() is None:
                time.sleep(5)
                seen.append(_resident_mb(server))
            return seen[-1], max(seen)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)


def _server_of(demo: subprocess.Popen[bytes], data: Path) -> int:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and demo.poll() is None:
        with contextlib.suppress(FileNotFoundError):
            found = re.search(r'"pid": (\d+)', (data / "server.lock").read_text())
            if found:
                return int(found[1])
        time.sleep(0.2)
    raise SystemExit("the demo did not start")


def _resident_mb(pid: int) -> float:
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) / 1024 if found else 0.0


def installed_mb() -> float:
    """Megabytes of site-packages after installing Watchkeeper without extras into an empty environment."""
    with tempfile.TemporaryDirectory(prefix="wk-bench-") as folder:
        uv = ROOT / ".venv/bin/uv"
        python = f"{folder}/venv/bin/python"
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", f"{folder}/venv"], check=True)
        wanted = [str(uv), "pip", "install", "--quiet", "--python", python, "--constraint", str(_constraints(folder))]
        subprocess.run([*wanted, str(ROOT)], check=True)
        packages = next(Path(folder, "venv").glob("lib/python3*/site-packages"))
        return sum(file.stat().st_size for file in packages.rglob("*") if file.is_file()) / 1e6


def _constraints(folder: str) -> Path:
    lines = (ROOT / "requirements/dev.lock").read_text().splitlines()
    path = Path(folder) / "constraints.txt"
    path.write_text("\n".join(line.split(" ")[0] for line in lines if re.match(r"^[a-zA-Z0-9]", line) and "==" in line))
    return path


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--starts", type=int, default=5)
    parser.add_argument("--rest", type=int, default=60)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--no-install", action="store_true")
    options = parser.parse_args()
    headline("Start, memory and size")
    starts = cold_starts(options.starts)
    print(f"  cold start on empty data      median {statistics.median(starts):.2f} s, slowest {max(starts):.2f} s")
    print(f"  resident after {options.rest} s at rest   {at_rest(options.rest):.0f} MB")
    if options.minutes:
        last, highest = under_demo(options.minutes)
        print(f"  resident after {options.minutes:.0f} min of demo    {last:.0f} MB, highest {highest:.0f} MB")
    if not options.no_install:
        print(f"  site-packages without extras  {installed_mb():.0f} MB")
    print(f"\n  load of the machine meanwhile: {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
