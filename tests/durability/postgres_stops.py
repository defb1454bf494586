"""PostgreSQL stopped without a goodbye while replicas write: what was acknowledged, and how long until all is well."""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from sqlalchemy import func, select

from tests.support.postgres import PostgresServer
from tests.support.running import RunningServer, eventually, running_server
from tests.telemetry.support import spans
from watchkeeper.kernel.db.database import open_for_reading
from watchkeeper.kernel.journal import FactFilter, read_facts
from watchkeeper.kernel.journal.verify import ChainBroken, verify_chain
from watchkeeper.kernel.work.tables import work

WRITERS_EACH = 2
_LONGEST_RECOVERY = 60.0


@dataclass
class Load:
    """Writers and listeners on every replica, until stopped. A request that was refused is sent again, as it was."""

    replicas: list[RunningServer]
    acknowledged: set[str] = field(default_factory=set)
    answers: Counter[str] = field(default_factory=Counter)
    bad: list[str] = field(default_factory=list)
    heard: list[set[str]] = field(default_factory=list)
    streams: int = 0
    _numbers: Iterator[int] = field(default_factory=itertools.count)
    _ending: threading.Event = field(default_factory=threading.Event)
    _listening: threading.Event = field(default_factory=threading.Event)
    _writers: list[threading.Thread] = field(default_factory=list)
    _listeners: list[threading.Thread] = field(default_factory=list)

    def start(self) -> None:
        for replica in self.replicas:
            self.heard.append(set())
            self._listeners.append(threading.Thread(target=self._listen, args=(replica, self.heard[-1]), daemon=True))
            for _ in range(WRITERS_EACH):
                self._writers.append(threading.Thread(target=self._write, args=(replica,), daemon=True))
        for thread in [*self._listeners, *self._writers]:
            thread.start()

    def stop(self) -> None:
        """Let every request come to its end; then give listeners the time to hear of it."""
        self._ending.set()
        for thread in self._writers:
            thread.join(_LONGEST_RECOVERY)
        until = time.monotonic() + 15
        while time.monotonic() < until and any(self.acknowledged - heard for heard in self.heard):
            time.sleep(0.1)
        self._listening.set()
        for thread in self._listeners:
            thread.join(10)

    def look_while_away(self) -> None:
        """A load balancer must look elsewhere, and telemetry must still be taken in."""
        for replica in self.replicas:
            ready = replica.client.get("/readyz").status_code
            body = spans(time.time_ns()).SerializeToString()
            headers = {"Content-Type": "application/x-protobuf"}
            taken = httpx.post(f"{replica.url}/v1/traces", content=body, headers=headers, trust_env=False, timeout=30)
            if (ready, taken.status_code) != (503, 200):
                self.bad.append(f"while away: /readyz {ready}, /v1/traces {taken.status_code} {taken.text[:200]}")

    def _write(self, replica: RunningServer) -> None:
        while not self._ending.is_set():
            name = f"load-{next(self._numbers)}"
            while not self._post(replica, name):
                time.sleep(0.1)

    def _post(self, replica: RunningServer, name: str) -> bool:
        """Whether this was acknowledged."""
        answer = replica.client.post("/api/v1/services", json={"name": name}, headers={"Idempotency-Key": name})
        self.answers[str(answer.status_code)] += 1
        if answer.status_code == 201:
            self.acknowledged.add(name)
            return True
        if answer.status_code != 503 or "Retry-After" not in answer.headers:
            self.bad.append(f"{answer.status_code} {answer.text[:200]}")
        return False

    def _listen(self, replica: RunningServer, heard: set[str]) -> None:
        last = "beginning"
        while not self._listening.is_set():
            try:
                self.streams += 1
                with replica.client.stream(
                    "GET", "/api/v1/timeline/stream", headers={"Last-Event-ID": last}, timeout=60
                ) as stream:
                    for line in stream.iter_lines():
                        if line.startswith("id:"):
                            last = line.removeprefix("id:").strip()
                        if line.startswith("data:"):
                            heard.add(str(json.loads(line.removeprefix("data:")).get("service")))
                        if self._listening.is_set():
                            return
            except httpx.TransportError:
                time.sleep(0.1)


@dataclass(frozen=True)
class Stopped:
    """What many stops under load left behind."""

    recoveries: list[float]
    acknowledged: int
    lost: int
    twice: int
    unheard: int
    streams: int
    bad: list[str]
    answers: Counter[str]
    chain: str | None
    work_goes_on: bool


def stop_under_load(folder: Path, *, rounds: int, replicas: int = 3, seconds: float = 2.0) -> Stopped:
    """Stop and start it so many times while replicas are written to; `seconds` of load before each stop."""
    server = PostgresServer(durable=True)
    try:
        server.execute("CREATE DATABASE stops")
        url = server.url("stops")
        with _running(folder, url, replicas) as running:
            load = Load(running)
            load.start()
            recoveries = []
            for number in range(rounds):
                time.sleep(seconds)
                server.stop_immediately()
                # Away for shorter or longer than the patience of one request.
                time.sleep(0.2 + number % 3)
                load.look_while_away()
                started = time.monotonic()
                server.start()
                _wait_until_all_write(running, f"probe-{number}")
                recoveries.append(time.monotonic() - started)
            load.stop()
            return _judge(url, load, recoveries)
    finally:
        server.close()


@contextmanager
def _running(folder: Path, url: str, count: int) -> Iterator[list[RunningServer]]:
    with ExitStack() as stack, ThreadPoolExecutor(count) as threads:
        contexts = [running_server(folder / f"replica-{n}", {"WATCHKEEPER_DATABASE_URL": url}) for n in range(count)]
        yield list(threads.map(stack.enter_context, contexts))


def _wait_until_all_write(replicas: list[RunningServer], name: str) -> None:
    until = time.monotonic() + _LONGEST_RECOVERY
    for number, replica in enumerate(replicas):
        while not _is_well(replica, f"{name}-{number}"):
            if time.monotonic() > until:
                raise AssertionError(f"{replica.url} did not recover within {_LONGEST_RECOVERY} s")
            time.sleep(0.05)


def _is_well(replica: RunningServer, name: str) -> bool:
    if replica.client.get("/readyz").status_code != 200:
        return False
    made = replica.client.post("/api/v1/services", json={"name": name}, headers={"Idempotency-Key": name})
    return made.status_code == 201


def _judge(url: str, load: Load, recoveries: list[float]) -> Stopped:
    with open_for_reading(url, Path()) as db, db.read() as session:
        facts: Counter[str] = Counter()
        after = 0
        while page := read_facts(session, FactFilter(after_seq=after), limit=1_000, newest_first=False):
            after = page[-1].seq
            facts.update(str(one.service) for one in page if one.kind == "catalog.service_declared")
        try:
            verify_chain(session)
            chain = None
        except ChainBroken as broken:
            chain = str(broken)
    return Stopped(
        recoveries=recoveries,
        acknowledged=len(load.acknowledged),
        lost=len(load.acknowledged - set(facts)),
        twice=sum(times - 1 for times in facts.values()),
        unheard=sum(len(load.acknowledged - heard) for heard in load.heard),
        streams=load.streams,
        bad=load.bad,
        answers=load.answers,
        chain=chain,
        work_goes_on=_work_goes_on(url),
    )


def _work_goes_on(url: str) -> bool:
    """Whether nothing that recurs stays undone: what is due this moment is begun the next."""

    def is_nothing_late() -> bool:
        with open_for_reading(url, Path()) as db, db.read() as session:
            overdue = select(func.count()).where(
                work.c.kind.startswith("recurring."), work.c.due_at < db.database_now(session)
            )
            return session.execute(overdue.where(work.c.lease_until.is_(None))).scalar_one() == 0

    return eventually(is_nothing_late)
