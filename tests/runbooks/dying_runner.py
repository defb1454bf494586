"""A runner that kills itself, without a chance to tidy up, at the point of its work that its last argument names."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import httpx

from watchkeeper.kernel.clock import SystemClock
from watchkeeper.kernel.outbound import Outbound
from watchkeeper.modules.runbooks.leasing import Lease, Report
from watchkeeper.modules.runbooks.runner.allow import read_allowed
from watchkeeper.modules.runbooks.runner.executing import Executor
from watchkeeper.modules.runbooks.runner.http_exchange import HttpExchange
from watchkeeper.modules.runbooks.runner.loop import Runner

POINTS = ("claimed", "before begin", "begun", "running", "before finish", "finished")


class Dying(HttpExchange):
    """Speaks with the server as every runner does, and dies."""

    dies = ""

    def claim(self) -> Lease | None:
        found = super().claim()
        if found is not None:
            self._at("claimed")
        return found

    def begin(self, lease: Lease) -> None:
        self._at("before begin")
        super().begin(lease)
        self._at("begun")

    def progress(self, lease: Lease, output: str, output_bytes: int) -> bool:
        found = super().progress(lease, output, output_bytes)
        self._at("running")
        return found

    def finish(self, lease: Lease, report: Report) -> None:
        self._at("before finish")
        super().finish(lease, report)
        self._at("finished")

    def _at(self, point: str) -> None:
        if point == self.dies:
            os.kill(os.getpid(), signal.SIGKILL)


def main(url: str, token_file: str, allow: str, dies: str) -> None:
    headers = {"Authorization": f"Bearer {Path(token_file).read_text(encoding='ascii').strip()}"}
    with httpx.Client(base_url=url, headers=headers, trust_env=False) as client:
        exchange = Dying(client, "dying")
        exchange.dies = dies
        executor = Executor(read_allowed(Path(allow), os.environ), SystemClock(), Outbound())
        Runner(exchange, executor).run()


if __name__ == "__main__":
    main(*sys.argv[1:])
