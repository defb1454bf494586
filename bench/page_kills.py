"""Pages under random kill -9: what was accepted is sent, or the program ends with 1.

`python -m bench.page_kills [--kills 500] [--pages 5000] [--database sqlite|postgresql|both] [--whole] [--seed 7]`
`python -m bench.page_kills --kills 20 --pages 200` takes about a minute.

A sender brings alerts over HTTP (Events v2) and repeats each until 2xx, as monitoring systems do. A provider, which is
another HTTP server, counts what it is sent by its idempotency key. Meanwhile servers are killed at random moments and
started anew: one on SQLite, three on PostgreSQL (with fsync). Each alert is a page of its own.

The servers are small processes: the HTTP door, intake, paging and messages of `watchkeeper up`, put together by its own
code over the same database, without console, telemetry and other modules (`tests/durability/paging_process.py`). They
are forked from a process that has imported everything, so that a start takes a fraction of a second. `--whole` kills
real `watchkeeper up` in their place, at several seconds for each start: use fewer kills. Not shown here: power cuts
(`bench.power_cuts`), and what a provider does with a message that it took.
"""

from __future__ import annotations

import argparse
import tempfile
from contextlib import ExitStack
from pathlib import Path

from bench.support import headline
from tests.durability.page_kills import AT_ONCE, Outcome, kill_while_paging, start_whole
from tests.durability.paging_process import Nursery
from tests.support.postgres import PostgresServer

REPLICAS = 3
TAKEOVER_SECONDS = 15.0
PAUSE, PAUSE_WHOLE = 0.7, 12.0


def laws(found: Outcome) -> list[tuple[str, object, bool]]:
    """Each law, what was found, and whether it held."""
    copies = f"{found.again} in {found.kills} kills, {AT_ONCE} workers each"
    return [
        ("accepted and lost", f"{found.lost} of {found.accepted}", found.lost == 0),
        ("groups for as many alerts", f"{found.groups} for {found.accepted}", found.groups == found.accepted),
        ("sent again, same key", copies, found.again <= AT_ONCE * found.kills),
        ("longest until taken over", f"{found.takeover:.1f} s", found.takeover <= TAKEOVER_SECONDS),
        ("the journal", found.chain or "verifies", found.chain is None),
    ]


def show(found: Outcome, held: list[tuple[str, object, bool]]) -> bool:
    """Print it; answers whether every law held."""
    refused = ", ".join(f"{times} x {why}" for why, times in sorted(found.refused.items()))
    print(f"    delivered at least once     {found.delivered} of {found.accepted} = {_ratio(found):.4f}")
    waits = [found.waits[int((len(found.waits) - 1) * share)] for share in (0.5, 0.99, 1)]
    print(f"    from 2xx to the provider    p50, p99, most {', '.join(f'{one:.1f}' for one in waits)} s")
    print(f"    sent anew, another key      {found.anew} (called again after 30 s without an answer)")
    print(f"    repeated by the sender      {refused or 'nothing'}")
    for law, value, holds in held:
        print(f"    {'ok    ' if holds else 'BROKEN'}  {law:26} {value}")
    return all(holds for _, _, holds in held)


def _ratio(found: Outcome) -> float:
    return found.delivered / found.accepted if found.accepted else 0.0


def run(kind: str, options: argparse.Namespace) -> bool:
    """One database."""
    with ExitStack() as stack:
        url = None
        if kind == "postgresql":
            server = PostgresServer(durable=True)
            stack.callback(server.close)
            server.execute("CREATE DATABASE bench")
            url = server.url("bench")
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="wk-bench-")))
        start = start_whole
        if not options.whole:
            nursery = Nursery()
            stack.callback(nursery.close)
            start = nursery.start
        servers = REPLICAS if url is not None else 1
        found = kill_while_paging(
            folder,
            url,
            servers=servers,
            kills=options.kills,
            pages=options.pages,
            seed=options.seed,
            pause=options.pause or (PAUSE_WHOLE / servers if options.whole else PAUSE),
            start=start,
        )
    print(f"  {kind}, {servers} at a time: {found.kills} kills, {found.in_hand} of them with work in hand, ", end="")
    print(f"over {found.accepted} pages in {found.seconds:.0f} s")
    return show(found, laws(found))


def main() -> None:
    """Run, print, and exit with 1 when a law is broken."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--pages", type=int, default=5_000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--pause", type=float, help="seconds between kills on average")
    parser.add_argument("--database", choices=["sqlite", "postgresql", "both"], default="both")
    parser.add_argument("--whole", action="store_true", help="kill real `watchkeeper up`")
    options = parser.parse_args()
    headline("Pages under kill -9")
    kinds = ["sqlite", "postgresql"] if options.database == "both" else [options.database]
    outcomes = [run(kind, options) for kind in kinds]
    if not all(outcomes):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
