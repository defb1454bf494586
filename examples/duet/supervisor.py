"""Starts Duet's processes, waits until they answer, keeps them running, and takes all of them down together."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from examples.duet import rollout
from examples.duet.days import DAY_SECONDS
from examples.duet.lifeline import tied_to_this_process
from examples.duet.releases import SERVICES

_HEALTHY_WITHIN = 60.0
_STOP_WITHIN = 6.0
_RESTART_AFTER = 1.0
_REPOSITORY = Path(__file__).resolve().parents[2]


class DidNotStart(Exception):
    """A service has no port, or did not answer in time."""


@dataclass(frozen=True)
class Run:
    """What to run. `ports_from` 0 takes free ports; `endpoint` None sends no telemetry; `rate` 0 makes no traffic."""

    releases: Mapping[str, str]
    data: Path
    endpoint: str | None = None
    scrape: bool = False
    ports_from: int = 0
    rate: float = 20.0
    seed: int = 7
    acceleration: float = 1.0
    from_hour: float | None = None
    members: int = 1000
    day_seconds: float = DAY_SECONDS


@dataclass
class Supervisor:
    """The running Duet."""

    run: Run
    _children: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    _listeners: dict[str, socket.socket] = field(default_factory=dict)
    _stop: threading.Event = field(default_factory=threading.Event)
    _releases: dict[str, str] = field(default_factory=dict)
    _refused: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._releases = dict(self.run.releases)

    @property
    def urls(self) -> dict[str, str]:
        return {name: f"http://127.0.0.1:{sock.getsockname()[1]}" for name, sock in self._listeners.items()}

    def keep_running(self) -> None:
        """Run until SIGINT or SIGTERM. Raises DidNotStart."""
        for sign in (signal.SIGINT, signal.SIGTERM):
            signal.signal(sign, lambda *_: self._stop.set())
        with self._all_taken_down():
            self._listen()
            rollout.forget(self.run.data)
            for service in SERVICES:
                self._start(service)
            for service in SERVICES:
                self._wait_until_healthy(service)
            if self._stop.is_set():
                return
            _say(
                f"Duet is up: {', '.join(f'{name} {self.run.releases[name]} {url}' for name, url in self.urls.items())}"
            )
            if self.run.rate > 0:
                self._start("traffic")
            rollout.note(self.run.data, self._releases)
            while not self._stop.wait(_RESTART_AFTER):
                self._revive()
                self._follow()

    def _listen(self) -> None:
        # The listeners stay here, so that a restarted service finds its port and its waiting callers again.
        for number, service in enumerate(SERVICES):
            port = self.run.ports_from and self.run.ports_from + number
            try:
                self._listeners[service] = socket.create_server(("127.0.0.1", port), backlog=256)
            except OSError as error:
                raise DidNotStart(f"{service} can't have port {port}: {error.strerror}; see --ports-from") from None

    def _start(self, name: str) -> None:
        arguments = self._traffic() if name == "traffic" else self._service(name)
        listener = self._listeners.get(name)
        with self._output(name) as output:
            self._children[name] = subprocess.Popen(
                [sys.executable, "-m", "examples.duet", *arguments],
                cwd=_REPOSITORY,
                env={**tied_to_this_process(), "MALLOC_ARENA_MAX": "2"},  # few threads need no arena each
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=[listener.fileno()] if listener else [],
            )

    def _service(self, name: str) -> list[str]:
        peers = [f"--peer={peer}={url}" for peer, url in self.urls.items() if peer != name]
        endpoint = [f"--endpoint={self.run.endpoint}"] if self.run.endpoint else []
        scrape = ["--scrape"] if self.run.scrape else []
        fd = self._listeners[name].fileno()
        return [
            *("serve", name, f"--release={self._releases[name]}", f"--fd={fd}", f"--data={self.run.data}"),
            *(f"--members={self.run.members}", f"--day-seconds={self.run.day_seconds}", *peers, *endpoint, *scrape),
        ]

    def _traffic(self) -> list[str]:
        run = self.run
        hour = [] if run.from_hour is None else [f"--from-hour={run.from_hour}"]
        return [
            *("traffic", f"--gateway={self.urls['gateway']}", f"--rate={run.rate}", f"--seed={run.seed}"),
            *(f"--acceleration={run.acceleration}", f"--members={run.members}", *hour),
        ]

    def _output(self, name: str) -> IO[bytes]:
        logs = self.run.data / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        return open(logs / f"{name}.out", "wb")

    def _wait_until_healthy(self, service: str) -> None:
        latest = time.monotonic() + _HEALTHY_WITHIN
        while time.monotonic() < latest and not self._stop.is_set():
            ended = self._children[service].poll()
            if ended is not None:
                raise DidNotStart(f"{service} ended with {ended}: see {self.run.data / 'logs' / f'{service}.out'}")
            if _answers(self.urls[service] + "/healthz"):
                return
            self._stop.wait(0.05)
        if not self._stop.is_set():
            raise DidNotStart(f"{service} did not answer within {_HEALTHY_WITHIN:.0f} s")

    def _follow(self) -> None:
        """Roll out what somebody wants to run; see `rollout`."""
        for service, release in rollout.wanted(self.run.data).items():
            asked = f"{service}={release}"
            if release == self._releases[service]:
                self._refused = [one for one in self._refused if one.partition("=")[0] != service]
            elif asked not in self._refused:
                self._roll(service, release)

    def _roll(self, service: str, release: str) -> None:
        """The new one beside the old one; the old one ends once the new one answers."""
        old, before = self._children[service], self._releases[service]
        self._releases[service] = release
        self._start(service)
        latest = time.monotonic() + _HEALTHY_WITHIN
        while not self._answers_as(service, release):
            if self._children[service].poll() is not None or time.monotonic() > latest or self._stop.is_set():
                self._children[service].kill()
                self._children[service], self._releases[service] = old, before
                self._refused.append(f"{service}={release}")
                _say(f"{service} {release} did not come up; {before} goes on")
                rollout.note(self.run.data, self._releases, refused=self._refused)
                return
            self._stop.wait(0.05)
        old.terminate()
        try:
            old.wait(_STOP_WITHIN)
        except subprocess.TimeoutExpired:
            old.kill()
            old.wait()
        rollout.note(self.run.data, self._releases, refused=self._refused)
        _say(f"{service} {release} runs in place of {before}")

    def _answers_as(self, service: str, release: str) -> bool:
        return _asked(self.urls[service] + "/healthz").get("release") == release

    def _revive(self) -> None:
        for name, child in list(self._children.items()):
            if child.poll() is not None:
                _say(f"{name} ended with {child.returncode}; starting it again")
                self._start(name)

    @contextlib.contextmanager
    def _all_taken_down(self) -> Iterator[None]:
        try:
            yield
        finally:
            if "traffic" in self._children:  # nobody is to meet a service that has just gone
                self._children["traffic"].terminate()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._children["traffic"].wait(_RESTART_AFTER)
            for child in self._children.values():
                child.terminate()
            latest = time.monotonic() + _STOP_WITHIN
            for child in self._children.values():
                try:
                    child.wait(max(0.0, latest - time.monotonic()))
                except subprocess.TimeoutExpired:
                    child.kill()
                    child.wait()
            for listener in self._listeners.values():
                listener.close()


def _answers(url: str) -> bool:
    return bool(_asked(url))


def _asked(url: str) -> dict[str, object]:
    """What it answers; nothing while it does not."""
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return dict(json.load(answer)) if answer.status == 200 else {}
    except (urllib.error.URLError, OSError, ValueError):
        return {}


def _say(line: str) -> None:
    with contextlib.suppress(BrokenPipeError):  # whoever listened is gone; so will this process be
        print(line, flush=True)
