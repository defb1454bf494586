"""From a change of configuration to its effect in 1,000 connected clients: on SQLite, and with two replicas.

`python -m bench.config_propagation [--clients 1000] [--changes 40]`

Real servers, one process that holds all clients, each with a stream, a snapshot and a compiled program of its own. The
clock runs from the moment the change is sent until the client's own evaluation answers with the new value, so the
commit, its fact and its fsync are in it. Beside it, the bare limit of the same run: one line sent to as many plain
sockets of the same machine by an asyncio server that does nothing else.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import httpx

from bench.support import Server, headline, running_server
from tests.support.postgres import PostgresServer
from watchkeeper_client.rules import Program, apply_delta, compile_snapshot

GOAL_SECONDS = 1.0
KEY = "BENCH_VALUE"
PARAMETERS = 152


@dataclass
class Client:
    """One stream, and what its client would answer."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    document: Mapping[str, Any] = field(default_factory=dict)
    program: Program | None = None
    arrived: dict[int, float] = field(default_factory=dict)

    async def follow(self, ready: asyncio.Semaphore) -> None:
        event = ""
        while line := await self.reader.readline():
            name, _, said = line.decode().rstrip("\n").partition(": ")
            if name == "event":
                event = said
            elif name == "data":
                self.take(event, json.loads(said))
                ready.release()

    def take(self, event: str, said: Mapping[str, Any]) -> None:
        document = said if event == "snapshot" else apply_delta(self.document, said)
        if document is None:
            raise SystemExit("a delta did not start where this client was")
        self.document = document
        self.program = compile_snapshot(document, now=datetime.now(UTC), environ={}, reuse=self.program)
        answer = self.program.outcome(KEY)
        if answer is not None:
            self.arrived.setdefault(answer.value, time.perf_counter())


def main() -> None:
    """Measure both, and exit with 1 when the goal is missed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--clients", type=int, default=1_000)
    parser.add_argument("--changes", type=int, default=40)
    options = parser.parse_args()
    headline("From change to effect in connected clients")
    with ExitStack() as stack:
        server = stack.enter_context(running_server())
        worst = asyncio.run(_measure("SQLite, one server", [server], options.clients, options.changes))
    with ExitStack() as stack:
        postgres = PostgresServer(durable=True)
        stack.callback(postgres.close)
        postgres.execute("CREATE DATABASE bench")
        url = postgres.url("bench")
        servers = [stack.enter_context(running_server(database_url=url)) for _ in range(2)]
        label = "PostgreSQL, two replicas, changed at the first"
        worst = max(worst, asyncio.run(_measure(label, servers, options.clients, options.changes)))
    _bare(options.clients, options.changes)
    if worst > GOAL_SECONDS:
        raise SystemExit(1)


async def _measure(label: str, servers: Sequence[Server], clients: int, changes: int) -> float:
    token = _prepare(servers[0])
    ready = asyncio.Semaphore(0)
    connected = [await _connect(servers[number % len(servers)], token) for number in range(clients)]
    following = [asyncio.create_task(one.follow(ready)) for one in connected]
    for _ in connected:
        await ready.acquire()
    sent: dict[int, float] = {}
    async with httpx.AsyncClient(
        base_url=servers[0].url, headers={"Authorization": f"Bearer {token}"}, timeout=60
    ) as api:
        for value in range(1, changes + 1):
            sent[value] = time.perf_counter()
            operation = {"key": KEY, "slot": "value", "value": value}
            body = {"environment": "production", "reason": "measuring", "operations": [operation]}
            (await api.post("/api/v1/config/changes", json=body)).raise_for_status()
            for _ in connected:
                await asyncio.wait_for(ready.acquire(), 30)
            await asyncio.sleep(0.05)
    for task in following:
        task.cancel()
    for one in connected:
        one.writer.close()
    samples = sorted(one.arrived[value] - sent[value] for one in connected for value in sent)
    return _show(label, samples)


async def _connect(server: Server, token: str) -> Client:
    where = urlsplit(server.url)
    reader, writer = await asyncio.open_connection(where.hostname, where.port, limit=2**20)
    writer.write(
        f"GET /api/v1/config/stream?environment=production HTTP/1.0\r\nHost: {where.netloc}\r\n"
        f"Authorization: Bearer {token}\r\n\r\n".encode()
    )
    head = await reader.readuntil(b"\r\n\r\n")
    if b" 200 " not in head.split(b"\r\n")[0]:
        raise SystemExit(head.decode())
    return Client(reader, writer)


def _prepare(server: Server) -> str:
    with server.client() as admin:
        made = admin.post("/api/v1/tokens", json={"name": "bench", "scopes": ["write"]})
        made.raise_for_status()
        token = str(made.json()["secret"])
    with httpx.Client(base_url=server.url, headers={"Authorization": f"Bearer {token}"}, timeout=60) as api:
        keys = [KEY, *(f"OTHER_{number}" for number in range(PARAMETERS - 1))]
        for key in keys:
            api.post("/api/v1/config/parameters", json={"key": key, "type": "integer", "default": 0}).raise_for_status()
    return token


def _bare(clients: int, changes: int) -> None:
    """The limit of the machine: one process writes a line to as many sockets, another reads them."""
    here, there = multiprocessing.get_context("spawn").Pipe()
    child = multiprocessing.get_context("spawn").Process(target=_serve_bare, args=(there, clients, changes))
    child.start()
    _show("bare sockets, one line each", sorted(asyncio.run(_read_bare(here.recv(), clients))))
    child.join()


async def _read_bare(port: int, clients: int) -> list[float]:
    pairs = [await asyncio.open_connection("127.0.0.1", port) for _ in range(clients)]
    samples: list[float] = []

    async def read(reader: asyncio.StreamReader) -> None:
        while line := await reader.readline():
            samples.append(time.perf_counter() - float(line))

    await asyncio.gather(*(read(reader) for reader, _ in pairs))
    return samples


def _serve_bare(there: Any, clients: int, changes: int) -> None:
    asyncio.run(_bare_server(there, clients, changes))


async def _bare_server(there: Any, clients: int, changes: int) -> None:
    writers: list[asyncio.StreamWriter] = []
    everybody = asyncio.Event()

    def welcome(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        if len(writers) == clients:
            everybody.set()

    server = await asyncio.start_server(welcome, "127.0.0.1", 0, backlog=1024)
    there.send(server.sockets[0].getsockname()[1])
    await everybody.wait()
    for _ in range(changes):
        line = f"{time.perf_counter()}\n".encode()
        for writer in writers:
            writer.write(line)
        await asyncio.sleep(0.2)
    for writer in writers:
        writer.close()


def _show(label: str, samples: Sequence[float]) -> float:
    def share(part: float) -> float:
        return samples[min(len(samples) - 1, int(len(samples) * part))]

    print(
        f"  {label}: {len(samples):,} effects, median {share(0.5) * 1e3:.0f} ms, p99 {share(0.99) * 1e3:.0f} ms, "
        f"slowest {samples[-1] * 1e3:.0f} ms"
    )
    return share(0.99)


if __name__ == "__main__":
    main()
