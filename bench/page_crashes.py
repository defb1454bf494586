"""PostgreSQL stopped with `-m immediate` twenty times while paging with three servers: what was accepted is sent.

`python -m bench.page_crashes [--rounds 20] [--replicas 3] [--small]`
`python -m bench.page_crashes --rounds 3 --small` takes about a minute.

Real `watchkeeper up`; `--small` has the processes of `bench.page_kills` in their place. Alerts come in over HTTP, five
a second, each repeated until 2xx; a provider counts what it is sent. A recovery is the time from the moment that
PostgreSQL answers again until a page that was accepted after it is at the provider.
"""

from __future__ import annotations

import argparse
import tempfile
from contextlib import ExitStack
from pathlib import Path

from bench.page_kills import show
from bench.support import headline
from tests.durability.page_kills import AT_ONCE, start_whole, stop_while_paging
from tests.durability.paging_process import Nursery
from tests.support.postgres import PostgresServer

GOAL_SECONDS = 15.0


def main() -> None:
    """Run, print, and exit with 1 when a law is broken."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--replicas", type=int, default=3)
    parser.add_argument("--small", action="store_true", help="only what pages, not the whole of the servers")
    options = parser.parse_args()
    headline("PostgreSQL stopped while paging")
    with ExitStack() as stack:
        server = PostgresServer(durable=True)
        stack.callback(server.close)
        server.execute("CREATE DATABASE bench")
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="wk-bench-")))
        start = start_whole
        if options.small:
            nursery = Nursery()
            stack.callback(nursery.close)
            start = nursery.start
        found = stop_while_paging(
            folder, server, server.url("bench"), servers=options.replicas, rounds=options.rounds, start=start
        )
    outcome, slowest = found.outcome, max(found.resumed)
    copies = f"{outcome.again} in {options.rounds} stops, {AT_ONCE} workers of {options.replicas} servers"
    print("  recoveries: " + ", ".join(f"{seconds:.1f}" for seconds in found.resumed) + " s")
    held = [
        ("accepted and lost", f"{outcome.lost} of {outcome.accepted}", outcome.lost == 0),
        ("groups for as many alerts", f"{outcome.groups} for {outcome.accepted}", outcome.groups == outcome.accepted),
        ("sent again, same key", copies, outcome.again <= AT_ONCE * options.replicas * options.rounds),
        ("the journal", outcome.chain or "verifies", outcome.chain is None),
        ("slowest recovery", f"{slowest:.1f} s", slowest <= GOAL_SECONDS),
    ]
    if not show(outcome, held):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
