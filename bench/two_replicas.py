"""Two replicas appending 100,000 facts each to one journal: one chain, and the price of a fact.

`python -m bench.two_replicas [--rows 100000]`

Two processes on one PostgreSQL (with fsync), each fact a transaction of its own; and one process on SQLite with 32
requests at a time, as the API writes. The price is the time against the same rows inserted into a plain table with the
same columns and indexes, in the same run, by as many writers, committed in the same way, taking turns.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from bench.support import headline
from tests.durability.replica_appends import (
    Cost,
    prepare,
    replicas_on_postgresql,
    require_one_chain,
    threads_on_sqlite,
)
from tests.support.postgres import PostgresServer

GOAL = 3.0
ROUNDS = 10


def main() -> None:
    """Run, print, and exit with 1 when the journal forked or cost more than the goal."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=100_000)
    options = parser.parse_args()
    headline("Two replicas on one journal")
    costs = [_on_postgresql(options.rows), _on_sqlite(options.rows)]
    if any(cost.ratio > GOAL for cost in costs):
        raise SystemExit(1)


def _on_postgresql(rows: int) -> Cost:
    server = PostgresServer(durable=True)
    try:
        server.execute("CREATE DATABASE bench")
        db = prepare(server.url("bench"), Path())
        cost = replicas_on_postgresql(server.url("bench"), processes=2, rows_each=rows, rounds=ROUNDS)
        require_one_chain(db, cost.rows)
        db.close()
        _show("PostgreSQL, 2 processes", cost)
        return cost
    finally:
        server.close()


def _on_sqlite(rows: int) -> Cost:
    with tempfile.TemporaryDirectory(prefix="wk-bench-") as folder:
        db = prepare(None, Path(folder) / "data")
        cost = threads_on_sqlite(db, rows=rows, rounds=ROUNDS)
        require_one_chain(db, cost.rows)
        db.close()
    _show("SQLite, 32 requests at a time", cost)
    return cost


def _show(where: str, cost: Cost) -> None:
    facts, rows = cost.rows / cost.append_seconds, cost.rows / cost.plain_seconds
    print(f"  {where}: {cost.rows} facts in one chain without gap or fork")
    print(f"    {facts:,.0f} facts/s, {rows:,.0f} plain rows/s: {cost.ratio:.2f} times the price of a plain insert")


if __name__ == "__main__":
    main()
