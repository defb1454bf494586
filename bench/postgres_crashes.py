"""PostgreSQL stopped with `-m immediate` ten times under load with three replicas: is all there, when is all well?

`python -m bench.postgres_crashes [--rounds 10] [--replicas 3]`

Three `watchkeeper up` on one PostgreSQL (with fsync), two writers on each; a request that is refused is sent again with
the same Idempotency-Key. A listener on each replica's stream must hear of everything. A recovery is the time from
starting PostgreSQL until every replica is ready and has acknowledged a write.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from bench.support import headline
from tests.durability.postgres_stops import stop_under_load

GOAL_SECONDS = 15.0


def main() -> None:
    """Run, print, and exit with 1 when a law is broken."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--replicas", type=int, default=3)
    options = parser.parse_args()
    headline("PostgreSQL stopped under load")
    with tempfile.TemporaryDirectory(prefix="wk-bench-") as folder:
        found = stop_under_load(Path(folder), rounds=options.rounds, replicas=options.replicas)
    slowest = max(found.recoveries)
    answers = ", ".join(f"{count} x {status}" for status, count in sorted(found.answers.items()))
    print(f"  answers: {answers}; other than 201 and 503 with Retry-After: {len(found.bad)}")
    for one in found.bad[:5]:
        print(f"    {one}")
    print("  recoveries: " + ", ".join(f"{seconds:.1f}" for seconds in found.recoveries) + " s")
    laws = [
        ("acknowledged and lost", f"{found.lost} of {found.acknowledged}", found.lost == 0),
        ("done twice", found.twice, found.twice == 0),
        ("not heard on a stream", found.unheard, found.unheard == 0),
        ("streams that broke", found.streams - options.replicas, found.streams == options.replicas),
        ("the journal", found.chain or "verifies", found.chain is None),
        ("recurring work goes on", found.work_goes_on, found.work_goes_on),
        ("unexpected answers", len(found.bad), not found.bad),
        ("slowest recovery", f"{slowest:.1f} s", slowest <= GOAL_SECONDS),
    ]
    for law, value, held in laws:
        print(f"    {'ok    ' if held else 'BROKEN'}  {law:26} {value}")
    if not all(held for _, _, held in laws):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
