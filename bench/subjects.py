"""Sending 100,000 of a product's users, and counting who would be in a segment.

`python -m bench.subjects [--subjects 100000]`: batches of 1,000 over HTTP, one after another, each durable when it is
answered; then the same again, which changes nothing; then previews of an expression.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from typing import Any

from bench.support import headline, running_server

_BATCH = 1_000
_EXPRESSION = 'attributes.plan == "premium" && country in ["NO", "SE"] && age >= 18'


def main() -> None:
    """Send, send again, preview, print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--subjects", type=int, default=100_000)
    count = parser.parse_args().subjects
    headline(f"{count:,} subjects in batches of {_BATCH:,}")
    rnd = random.Random(7)
    batches = [[_subject(rnd, start + one) for one in range(_BATCH)] for start in range(0, count, _BATCH)]
    with running_server() as server, server.client() as client:
        for what in ("added", "unchanged"):
            started = time.monotonic()
            for batch in batches:
                answer = client.post("/api/v1/subjects", json={"subjects": batch}, timeout=60).raise_for_status().json()
                assert answer[what] == _BATCH, answer
            took = time.monotonic() - started
            print(f"  {what}: {took:.2f} s, {count / took:,.0f} a second")
        body = {"type": "custom", "expression": _EXPRESSION}
        times = []
        for _ in range(5):
            started = time.monotonic()
            found = client.post("/api/v1/segments/preview", json=body, timeout=60).raise_for_status().json()
            times.append(time.monotonic() - started)
        looked = f"{found['looked_at']:,} of {found['total']:,} looked at"
        print(
            f"  preview: median {statistics.median(times):.2f} s, slowest {max(times):.2f} s of {len(times)}, {looked}"
        )


def _subject(rnd: random.Random, number: int) -> dict[str, Any]:
    return {
        "id": f"user-{number}",
        "country": rnd.choice(["NO", "SE", "DK", "DE", "FR"]),
        "birth_year": rnd.randint(1950, 2012),
        "last_active_at": f"2025-{rnd.randint(1, 12):02}-{rnd.randint(1, 28):02}T12:00:00Z",
        "attributes": {
            "plan": rnd.choice(["free", "premium"]),
            "logins": rnd.randint(0, 500),
            "beta": rnd.random() < 0.1,
        },
    }


if __name__ == "__main__":
    main()
