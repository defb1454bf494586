"""SQLite under 2,000 simulated power cuts: is what was acknowledged there, the file sound, the journal whole?

`python -m bench.power_cuts [--cuts 2000] [--workloads 20]`

Transactions of three writers run through Watchkeeper's own code while every write, truncation and sync that SQLite asks
of the disk is recorded. A cut keeps what was synced, and of the rest nothing, all, some writes, or torn sectors of 512
bytes. The same with `synchronous=NORMAL` shows that the measurement can fail.
"""

from __future__ import annotations

import argparse
import time
from itertools import chain

from bench.support import headline
from tests.durability.power_cuts import Outcome, Synchronous, cuts, write_and_record


def run(synchronous: Synchronous, count: int, workloads: int, seed: int) -> list[Outcome]:
    """All cuts in one mode; prints a line."""
    started = time.monotonic()
    recorded = [write_and_record(synchronous, seed + number) for number in range(workloads)]
    steps = sum(len(one.steps) for one in recorded)
    syncs = sum(step.kind == "sync" for one in recorded for step in one.steps)
    found = list(chain.from_iterable(cuts(one, count // workloads, seed + n) for n, one in enumerate(recorded)))
    losing = sum(one.lost > 0 for one in found)
    damaged = [one.damage for one in found if one.damage]
    print(
        f"  synchronous={synchronous}: {len(found)} cuts at points of {steps} steps with {syncs} syncs: "
        f"{losing} lost acknowledged rows (most in one: {max(one.lost for one in found)}), {len(damaged)} damaged or "
        f"with a broken chain; {time.monotonic() - started:.0f} s"
    )
    for damage in damaged[:5]:
        print(f"    {damage}")
    return found


def main() -> None:
    """Run both modes; exit code 1 when FULL lost or damaged anything, or NORMAL lost nothing."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--cuts", type=int, default=2_000)
    parser.add_argument("--workloads", type=int, default=20)
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    headline("SQLite under simulated power cuts")
    full = run("FULL", options.cuts, options.workloads, options.seed)
    normal = run("NORMAL", options.cuts, options.workloads, options.seed)
    held = not any(one.lost or one.damage for one in full)
    if not held or not any(one.lost for one in normal):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
