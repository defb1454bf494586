"""A bad release of Duet, and a rule that takes it back: from the alert to recovered, by real processes.

    python -m bench.recovery_duet [--runs 20] [--calm 20] [--rate 20]

Each run is a `watchkeeper demo` of its own: Watchkeeper, Duet's three services with members who write to each other,
and a `watchkeeper runner` that may run what stands in Duet's signed-off runbooks. The rule `chat-bad-release` of
examples/duet/ops is armed by the API, as a person would; then chat v2 is released, which answers about one message in
twelve with 500. Everything else is Watchkeeper's: the objective that burns, its alert, the rule, the shell step
`rollback` on the runner, and the look whether the symptom went.

Times are counted from the moment the alert was accepted: until the step was done, until the last request of chat
failed (before the alert, where none did after it), and until the attempt was `recovered`; in seconds and as multiples
of the alert's window W (the long one of the pair that fired), since a budget burns on until a window has forgotten the
errors. A run that ends otherwise is printed and counted, and its times are in no figure. A rule loop is every attempt
but the first, also of those that come within `--watch` seconds after it was over.

Each run begins anew: an alert that comes back within a quarter of an hour is the same episode to Watchkeeper, and has
to stay clear for longer.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx

from bench.recovery import percentile
from bench.support import headline

RULE, SERVICE = "chat-bad-release", "duet-chat"
_ROOT = Path(__file__).resolve().parents[1]
_STARTS_WITHIN, _PATIENCE = 120.0, 600.0
_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


class RunFailed(Exception):
    """A run that did not end in `recovered`."""


@dataclass(frozen=True)
class Times:
    """Seconds: from the release to the alert, then from the alert on; `window` of the alert, `attempts` of the rule."""

    alert: float
    steps: float
    well: float
    recovered: float
    window: float
    attempts: int


@dataclass(frozen=True)
class Demo:
    """A demo that runs, with all rights on its API."""

    data: Path
    api: httpx.Client

    def call(self, method: str, path: str, body: Any = None, **asked: Any) -> Any:
        answer = self.api.request(method, f"/api/v1{path}", json=body, params=asked)
        if not answer.is_success:
            raise RunFailed(f"{method} {path}: {answer.status_code} {answer.text[:300]}")
        return answer.json()

    def release(self, release: str) -> datetime:
        """Have this release of chat run; when it did."""
        environment = {**os.environ, "DUET_DATA": str(self.data / "duet")}
        command = [sys.executable, "-m", "examples.duet", "release", f"chat={release}", "--wait", "60"]
        done = subprocess.run(command, cwd=_ROOT, env=environment, capture_output=True, text=True)
        if done.returncode != 0:
            raise RunFailed(f"chat {release} was not released: {done.stderr.strip()[-300:]}")
        return datetime.now().astimezone()

    def attempts(self) -> list[dict[str, Any]]:
        """Of the rule, oldest first."""
        found: list[dict[str, Any]] = self.call("GET", "/recovery/attempts", rule=RULE)["items"]
        return found[::-1]

    def failing(self) -> list[dict[str, Any]]:
        """The last failing requests of chat, the newest first."""
        found: list[dict[str, Any]] = self.call(
            "GET", "/telemetry/traces", service=SERVICE, status="error", since="15m", limit=1
        )["items"]
        return found


@contextlib.contextmanager
def running_demo(rate: float) -> Iterator[Demo]:
    """A demo on empty data, with its rule armed. Everything is gone afterwards."""
    data = Path(tempfile.mkdtemp(prefix="wk-bench-duet-"))
    command = [sys.executable, "-m", "watchkeeper", "demo", "--port", "0", "--data", str(data), f"--rate={rate}"]
    with (data / "said").open("wb") as said:
        process = subprocess.Popen(command, cwd=_ROOT, stdout=said, stderr=subprocess.STDOUT)
    try:
        _wait_until_up(process, data / "said")
        token = (data / "control.token").read_text().strip()
        url = json.loads((data / "server.lock").read_text())["url"]
        with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=60) as api:
            made = Demo(data, api)
            made.call("POST", f"/recovery/rules/{RULE}/arm", {"mode": "automatic", "reason": "measured"})
            yield made
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()  # its processes die with it
            process.wait()
        shutil.rmtree(data, ignore_errors=True)


def _wait_until_up(process: subprocess.Popen[bytes], said: Path) -> None:
    until = time.monotonic() + _STARTS_WITHIN
    while "Ctrl-C stops everything" not in said.read_text(errors="replace"):
        if process.poll() is not None or time.monotonic() > until:
            raise RunFailed(f"the demo did not come up: {said.read_text(errors='replace')[-500:]}")
        time.sleep(0.2)


def once(rate: float, calm: float, watch: float) -> Times:
    """One bad release. Raises RunFailed."""
    with running_demo(rate) as demo:
        time.sleep(calm)
        if demo.failing():
            raise RunFailed("chat failed before anything was released")
        released = demo.release("v2")
        attempt = _over(demo)
        if attempt["state"] != "recovered":
            raise RunFailed(f"{attempt['state']}: {attempt['detail']}")
        time.sleep(watch)
        alert = demo.call("GET", f"/alerts/{attempt['alert']}")
        accepted = _at(alert["opened_at"])
        last = demo.failing()
        return Times(
            alert=(accepted - released).total_seconds(),
            steps=(_at(attempt["acted_at"]) - accepted).total_seconds(),
            well=(_at(last[0]["time"]) - accepted).total_seconds() if last else 0.0,
            recovered=(_at(attempt["finished_at"]) - accepted).total_seconds(),
            window=_window(alert),
            attempts=len(demo.attempts()),
        )


def _over(demo: Demo) -> dict[str, Any]:
    """The rule's first attempt, as soon as it is over."""
    until, made = time.monotonic() + _PATIENCE, list[dict[str, Any]]()
    while time.monotonic() < until:
        made = demo.attempts()
        if made and made[0]["finished_at"] is not None:
            return made[0]
        time.sleep(0.5)
    raise RunFailed(f"not over within {_PATIENCE:.0f} s: {made[0]['state'] if made else 'no attempt was begun'}")


def _window(alert: Any) -> float:
    """The longest of the windows of what fired first, in seconds."""
    rules = [text for one in alert["alerts"] for said in one["said"] for text in said["details"].get("rules", ())]
    found = [re.search(r"over (\d+)([smhd]) and", text) for text in rules]
    return max((float(one[1]) * _UNITS[one[2]] for one in found if one is not None), default=0.0)


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def tell(found: list[Times]) -> None:
    """The figures of all runs."""
    print(f"\n{'from the alert until':<30}{'median':>9}{'p95':>9}{'median':>12}{'p95':>9}")
    for name, words in (
        ("steps", "the release before runs"),
        ("well", "the last request failed"),
        ("recovered", "recovered"),
    ):
        seconds = [getattr(one, name) for one in found]
        shares = [getattr(one, name) / one.window for one in found]
        print(
            f"{words:<30}{statistics.median(seconds):>7.1f} s{percentile(seconds, 0.95):>7.1f} s"
            f"{statistics.median(shares):>10.2f} W{percentile(shares, 0.95):>7.2f} W"
        )
    before = [one.alert for one in found]
    print(f"from the release to the alert: {statistics.median(before):.1f} s, {percentile(before, 0.95):.1f} s")
    print(f"alert windows W: {', '.join(sorted({f'{one.window:.0f} s' for one in found}))}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--calm", type=float, default=20.0, help="seconds of good traffic before the release")
    parser.add_argument("--watch", type=float, default=15.0, help="seconds in which a rule loop would show")
    parser.add_argument("--rate", type=float, default=20.0, help="requests a second of Duet's members")
    said = parser.parse_args()
    headline("Recovery of Duet by a rule: from the alert to recovered")
    found, failed = list[Times](), 0
    for number in range(1, said.runs + 1):
        try:
            one = once(said.rate, said.calm, said.watch)
        except (RunFailed, httpx.HTTPError) as error:
            failed += 1
            print(f"run {number}: FAILED: {error}", flush=True)
            continue
        found.append(one)
        print(
            f"run {number}: alert after {one.alert:.1f} s; then steps {one.steps:.1f} s, well {one.well:.1f} s, "
            f"recovered {one.recovered:.1f} s; W {one.window:.0f} s; attempts {one.attempts}",
            flush=True,
        )
    if found:
        tell(found)
    loops = sum(one.attempts - 1 for one in found)
    print(f"{said.runs} runs, of which {failed} failed; rule loops: {loops}")
    return 1 if failed or loops or not found else 0


if __name__ == "__main__":
    sys.exit(main())
