"""From the acknowledgement of a span to the moment a query finds it.

`python -m bench.freshness [--spans 20]`
"""

from __future__ import annotations

import argparse
import random
import statistics
import time

from bench.otlp_intake import batch
from bench.support import headline, running_server
from watchkeeper.modules.telemetry.model import Signal
from watchkeeper.modules.telemetry.wire_otlp import parse


def main() -> None:
    """Send at random moments, ask until it is there, print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--spans", type=int, default=20)
    options = parser.parse_args()
    headline("From acknowledged to visible")
    rnd = random.Random(7)
    took = []
    with running_server() as server, server.client() as client:
        for _ in range(options.spans):
            body = batch(rnd, 1, time.time_ns())
            trace_id = parse(Signal.TRACES, body).resource_spans[0].scope_spans[0].spans[0].trace_id.hex()
            client.post(
                "/v1/traces", content=body, headers={"Content-Type": "application/x-protobuf"}
            ).raise_for_status()
            started = time.monotonic()
            while client.get(f"/api/v1/telemetry/traces/{trace_id}").status_code != 200:
                time.sleep(0.02)
            took.append(time.monotonic() - started)
            time.sleep(rnd.random())
    print(f"  median {statistics.median(took):.2f} s, slowest {max(took):.2f} s of {len(took)}")


if __name__ == "__main__":
    main()
