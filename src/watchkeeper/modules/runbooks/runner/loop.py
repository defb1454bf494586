"""The runner: asks for a step, says that it begins, carries it out, says how it ended, and asks again."""

from __future__ import annotations

import random
import threading
from dataclasses import dataclass, field, replace
from typing import Protocol

import structlog

from watchkeeper.kernel.errors import Unavailable
from watchkeeper.kernel.ops import OpsInvalid
from watchkeeper.modules.runbooks.errors import LeaseIsGone
from watchkeeper.modules.runbooks.leasing import Lease, Report
from watchkeeper.modules.runbooks.model import State
from watchkeeper.modules.runbooks.runner.executing import Executor, NotAllowed

_log = structlog.get_logger("watchkeeper.runner")
_PAUSE_SECONDS = 2.0
_LONGEST_PAUSE = 30.0


class ReportRefused(Exception):
    """The server can't take a report as it is, now or later."""


class Exchange(Protocol):
    """How a runner speaks with the server. Each raises LeaseIsGone, or Unavailable for what is worth trying again."""

    def claim(self) -> Lease | None:
        """A step, or nothing for now; waits a while for one."""
        ...

    def begin(self, lease: Lease) -> None:
        """It begins now."""
        ...

    def progress(self, lease: Lease, output: str, output_bytes: int) -> bool:
        """So far so good; whether it is to be stopped."""
        ...

    def finish(self, lease: Lease, report: Report) -> None:
        """It ended."""
        ...


@dataclass
class Runner:
    """One step at a time."""

    exchange: Exchange
    executor: Executor
    stopping: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Until `stopping` is set; a step that runs is carried to its end first."""
        pause = _PAUSE_SECONDS
        while not self.stopping.is_set():
            try:
                self.run_once()
                pause = _PAUSE_SECONDS
            except (Unavailable, OpsInvalid) as refusal:
                _tell_trouble(refusal)
                self.stopping.wait(pause * (0.5 + random.random() / 2))  # noqa: S311 (jitter, not a secret)
                pause = min(pause * 2, _LONGEST_PAUSE)

    def run_once(self) -> bool:
        """At most one step; answers whether there was one. Raises OpsInvalid while this runner's list can't be read."""
        self.executor.of_now()
        lease = self.exchange.claim()
        if lease is None:
            return False
        try:
            # Again: it may have changed while the server was waited for. Where it can't be read by now, the step has
            # not begun, and goes to the next runner.
            self._carry_out(lease, self.executor.of_now())
        except LeaseIsGone as refusal:
            _log.warning("the step is not this runner's any more", run=lease.run, step=lease.key, reason=refusal.detail)
        return True

    def _carry_out(self, lease: Lease, executor: Executor) -> None:
        try:
            content, step, values = executor.understood(lease)
        except NotAllowed as refused:
            _log.warning("a step was refused", run=lease.run, step=lease.key, reason=str(refused))
            self._tell_end(lease, Report(state=State.FAILED, detail=f"refused by the runner: {refused}"))
            return
        # Nothing runs that the server does not know of: without its word there is no step.
        self.exchange.begin(lease)
        _log.info("a step begins", run=lease.run, step=lease.key, runbook=lease.runbook)
        with _Heartbeat(self.exchange, lease) as heart:
            report = executor.run(lease, content, step, values, heart.tell)
        self._tell_end(lease, report)
        _log.info("a step ended", run=lease.run, step=lease.key, state=report.state.value)

    def _tell_end(self, lease: Lease, report: Report) -> None:
        """Again and again: what was done must not be forgotten because the server was away for a moment."""
        pause = _PAUSE_SECONDS / 4
        while True:
            try:
                self.exchange.finish(lease, report)
                return
            except ReportRefused as refused:
                if not report.output:
                    raise LeaseIsGone(f"The server does not take the report: {refused}.") from None
                report = replace(report, output="", detail=f"{report.detail} (its output was refused: {refused})"[:500])
            except Unavailable as refusal:
                _log.warning("the end of a step can't be told yet", run=lease.run, reason=refusal.detail)
                if self.stopping.wait(pause):
                    return
                pause = min(pause * 2, _LONGEST_PAUSE)


def _tell_trouble(refusal: Unavailable | OpsInvalid) -> None:
    if isinstance(refusal, Unavailable):
        _log.warning("the server can't be asked", reason=refusal.detail)
    else:
        where = [f"{one.where}: {one.expected}" for one in refusal.complaints] or [refusal.detail]
        _log.error("nothing is allowed: this runner's list can't be read, and no step is taken", reason=where)


class _Heartbeat:
    """Keeps the lease while a step runs, in a thread of its own: neither a step that writes nothing nor a server that
    is slow to answer holds up reading."""

    def __init__(self, exchange: Exchange, lease: Lease) -> None:
        self._exchange, self._lease = exchange, lease
        self._said: tuple[str, int] = ("", 0)
        self._stop_asked = False
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="runner-heartbeat", daemon=True)

    def __enter__(self) -> _Heartbeat:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def tell(self, output: str, output_bytes: int) -> bool:
        """Have this sent with the next beat; answers whether the step is to be stopped."""
        self._said = (output, output_bytes)
        return self._stop_asked

    def _beat(self) -> None:
        every = min(2.0, self._lease.lease_seconds / 4)
        while not self._ended.wait(every):
            try:
                if self._exchange.progress(self._lease, *self._said):
                    self._stop_asked = True
            except LeaseIsGone:
                # Given up meanwhile: another may have it, so this one ends.
                self._stop_asked = True
                return
            except (Unavailable, ReportRefused) as error:
                _log.warning("how a step goes can't be told", run=self._lease.run, reason=str(error))
