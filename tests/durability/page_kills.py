"""Paging under kill -9 and under stops of PostgreSQL: which pages were lost, sent again, and how late they were."""

from __future__ import annotations

import os
import random
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import httpx
from sqlalchemy import ColumnElement, func
from sqlalchemy import select as sql_select

from tests.durability.page_load import Receiver, Senders, prepare, settings_for, wait_until
from tests.support.postgres import PostgresServer
from watchkeeper.kernel.db.database import Database, open_for_reading
from watchkeeper.kernel.journal.verify import ChainBroken, verify_chain
from watchkeeper.kernel.work.model import State
from watchkeeper.kernel.work.tables import work
from watchkeeper.modules.alerts.model import PROBE
from watchkeeper.modules.alerts.tables import groups

# Messages of one kind that a server sends at the same time, so how many of them one kill can interrupt.
AT_ONCE = 2
_LONGEST, _STILL = 180.0, 60.0


@dataclass(frozen=True)
class Outcome:
    """What came of it. `again`: copies with the key of the first. `anew`: messages beyond one for a page. `waits`:
    seconds from the 2xx of a page to the provider, in order. `in_hand`: kills that interrupted work."""

    accepted: int
    delivered: int
    lost: int
    again: int
    anew: int
    groups: int
    waits: list[float]
    kills: int
    in_hand: int
    takeover: float
    refused: dict[str, int]
    chain: str | None
    seconds: float


class Start(Protocol):
    """Starts a server and answers its descriptor."""

    def __call__(self, settings: Mapping[str, str], data: Path, port: int, log: Path) -> int: ...


@dataclass
class Fleet:
    """Servers on ports of their own, on one database."""

    folder: Path
    url: str | None
    count: int
    start_one: Start
    ports: list[int] = field(default_factory=list)
    _running: dict[int, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.ports = [_free_port() for _ in range(self.count)]

    @property
    def urls(self) -> list[str]:
        return [f"http://127.0.0.1:{port}" for port in self.ports]

    def data(self, number: int) -> Path:
        return self.folder / f"data-{number}"

    def start(self, number: int) -> None:
        log = self.folder / f"log-{number}"
        self._running[number] = self.start_one(settings_for(self.url), self.data(number), self.ports[number], log)

    def kill(self, number: int) -> None:
        """SIGKILL; returns when the process is dead."""
        descriptor = self._running.pop(number)
        if select.select([descriptor], [], [], 0)[0]:
            log = (self.folder / f"log-{number}").read_text(encoding="utf-8")
            raise AssertionError(f"server {number} ended by itself: {log[-2000:]}")
        signal.pidfd_send_signal(descriptor, signal.SIGKILL)
        select.select([descriptor], [], [], 60)
        os.close(descriptor)

    def answers(self) -> bool:
        """Whether each of them answers, whatever that is: its port takes connections before it has started."""
        with httpx.Client(timeout=5, trust_env=False) as client:
            for url in self.urls:
                try:
                    client.get(f"{url}/v2/enqueue")
                except httpx.TransportError:
                    return False
        return True

    def close(self) -> None:
        for number in list(self._running):
            self.kill(number)


def start_whole(settings: Mapping[str, str], data: Path, port: int, log: Path) -> int:
    """A real `watchkeeper up`."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("WATCHKEEPER_", "OTEL_"))}
    command = [sys.executable, "-m", "watchkeeper", "up", "--port", str(port), "--data", str(data)]
    with log.open("ab") as output:
        process = subprocess.Popen(command, env={**environ, **settings}, stdout=output, stderr=output)
    descriptor = os.pidfd_open(process.pid)
    # Its end is waited for here, so that no dead process is left over.
    threading.Thread(target=process.wait, daemon=True).start()
    return descriptor


@dataclass
class Takeovers:
    """How long work stayed with a process that was killed: from the kill until somebody else had leased it, or done it.

    It looks at all that is leased when the kill is over. What a living server holds is done in a moment.
    """

    url: str | None
    data: Path
    longest: float = 0.0
    held: dict[str, tuple[int, float]] = field(default_factory=dict)
    in_hand: int = 0

    def note_kill(self) -> None:
        at = time.monotonic()
        found = self._rows(work.c.lease_until.is_not(None), work.c.state == State.DUE)
        fresh = {row: (token, at) for row, token, _ in found if self.held.get(row, (None, 0.0))[0] != token}
        self.held |= fresh
        self.in_hand += bool(fresh)

    def look(self) -> None:
        """Let go of what others have by now."""
        if not self.held:
            return
        now, known = time.monotonic(), {}
        for row, token, leased in self._rows(work.c.id.in_(list(self.held))):
            known[row] = token, leased
        for row, (token, since) in list(self.held.items()):
            token_now, leased = known.get(row, (token, False))
            self.longest = max(self.longest, now - since)
            if token_now != token or not leased:
                del self.held[row]

    def _rows(self, *conditions: ColumnElement[bool]) -> list[tuple[str, int, bool]]:
        wanted = sql_select(work.c.id, work.c.token, work.c.lease_until).where(*conditions)
        # Opened for each look: a connection that stays would keep SQLite from recovering as it does after a kill.
        with open_for_reading(self.url, self.data) as db, db.read() as session:
            return [(row.id, row.token, row.lease_until is not None) for row in session.execute(wanted)]


def kill_while_paging(
    folder: Path,
    url: str | None,
    *,
    servers: int,
    kills: int,
    pages: int,
    seed: int,
    pause: float,
    start: Start,
) -> Outcome:
    """Kill one server after the other at random moments, `pause` seconds apart on average, while pages are sent."""
    rnd = random.Random(seed)
    with _load(folder, url, servers, pages, pages / (kills * pause), start) as (fleet, receiver, senders):
        started = time.monotonic()
        takeovers = Takeovers(url, fleet.data(0))
        senders.start()
        for _ in range(kills):
            until = time.monotonic() + rnd.uniform(0, 2 * pause)
            while time.monotonic() < until:
                takeovers.look()
                time.sleep(min(0.1, max(0.0, until - time.monotonic())))
            number = rnd.randrange(servers)
            fleet.kill(number)
            takeovers.note_kill()
            fleet.start(number)
        _settle(senders, receiver, takeovers.look)
        seconds = time.monotonic() - started
    return _judge(url, fleet.data(0), senders, receiver, takeovers, kills, seconds)


@dataclass(frozen=True)
class Crashes:
    """What stops of PostgreSQL did to pages, and how long after each start a page that came in after it was out."""

    outcome: Outcome
    resumed: list[float]


def stop_while_paging(
    folder: Path, postgres: PostgresServer, url: str, *, servers: int, rounds: int, start: Start
) -> Crashes:
    """Stop PostgreSQL without a goodbye and start it again, so many times, while pages are sent."""
    per_second, resumed = 5.0, []
    with _load(folder, url, servers, 10**6, per_second, start) as (fleet, receiver, senders):
        started = time.monotonic()
        # A server that has not started yet says that there is no database, and ends.
        assert wait_until(fleet.answers, within=_LONGEST), "the servers did not start"
        senders.start()
        for number in range(rounds):
            time.sleep(2.0)
            postgres.stop_immediately()
            # Away for shorter or longer than the patience of one request.
            time.sleep(0.2 + number % 3)
            postgres.start()
            resumed.append(_resumes(senders, receiver))
        senders.finish()
        _settle(senders, receiver, lambda: None)
        seconds = time.monotonic() - started
    outcome = _judge(url, fleet.data(0), senders, receiver, Takeovers(url, fleet.data(0)), 0, seconds)
    return Crashes(outcome, resumed)


def _resumes(senders: Senders, receiver: Receiver) -> float:
    """Seconds until a page that was accepted from now on is out."""
    began = time.monotonic()

    def out() -> bool:
        return any(at > began and number in receiver.first for number, at in list(senders.accepted.items()))

    assert wait_until(out, within=_LONGEST), "no page went out after the database was there again"
    return time.monotonic() - began


@contextmanager
def _load(
    folder: Path, url: str | None, servers: int, pages: int, per_second: float, start: Start
) -> Iterator[tuple[Fleet, Receiver, Senders]]:
    with ExitStack() as stack:
        receiver = Receiver()
        stack.callback(receiver.close)
        fleet = Fleet(folder, url, servers, start)
        key = prepare(url, fleet.data(0), receiver.url)
        stack.callback(fleet.close)
        for number in range(servers):
            fleet.start(number)
        senders = Senders(key, fleet.urls, pages, per_second)
        stack.callback(senders.stop)
        yield fleet, receiver, senders


def _settle(senders: Senders, receiver: Receiver, look: Callable[[], None]) -> None:
    """Until all are accepted and out, or nothing moved for a minute: what is not out by then is lost."""
    moved, known = time.monotonic(), (0, 0)
    while not (senders.are_done and set(senders.accepted) <= set(receiver.first)):
        look()
        if known != (known := (len(senders.accepted), len(receiver.first))):
            moved = time.monotonic()
        if time.monotonic() - moved > _STILL:
            break
        time.sleep(0.05)
    senders.stop()


def _judge(
    url: str | None,
    data: Path,
    senders: Senders,
    receiver: Receiver,
    takeovers: Takeovers,
    kills: int,
    seconds: float,
) -> Outcome:
    accepted = senders.accepted
    late = [receiver.first[one] - at for one, at in accepted.items() if one in receiver.first]
    with open_for_reading(url, data) as db:
        made, chain = _stored(db)
    return Outcome(
        accepted=len(accepted),
        delivered=len(set(accepted) & set(receiver.first)),
        lost=len(set(accepted) - set(receiver.first)),
        again=sum(times - 1 for times in receiver.sent.values()),
        anew=sum(len(keys) - 1 for keys in receiver.keys.values()),
        groups=made,
        waits=sorted(late),
        kills=kills,
        in_hand=takeovers.in_hand,
        takeover=takeovers.longest,
        refused=dict(senders.refused),
        chain=chain,
        seconds=seconds,
    )


def _stored(db: Database) -> tuple[int, str | None]:
    with db.read() as session:
        # A whole server pages itself, too, once a minute.
        wanted = sql_select(func.count()).select_from(groups).where(groups.c.integration != PROBE)
        made = int(session.execute(wanted).scalar_one())
        try:
            verify_chain(session)
        except ChainBroken as broken:
            return made, str(broken)
    return made, None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
