"""Carries one leased step out: a script in a process that is held, or a request."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess  # nosec B404 (a runner runs what was signed off)
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.errors import Refusal
from watchkeeper.kernel.outbound import DeliveryFailed, Outbound
from watchkeeper.modules.runbooks.blocks import environment_of, request_of
from watchkeeper.modules.runbooks.leasing import Lease, Report
from watchkeeper.modules.runbooks.model import Content, How, State, Step
from watchkeeper.modules.runbooks.reading import content_of, revision_of, value_of
from watchkeeper.modules.runbooks.runner.allow import Allowed
from watchkeeper.modules.runbooks.runner.output import Output

_KEEPER = Path(__file__).with_name("keeper.py")
_CHUNK = 65_536
# After its own time, how long a keeper may take to end everything and say so.
_GRACE_SECONDS = 15.0
_TELL_EVERY = 2.0
_SHELLS = {"sh": ["/bin/sh", "-eu", "-c"], "bash": ["/bin/bash", "-eu", "-o", "pipefail", "-c"]}


class NotAllowed(Exception):
    """The runner's own list does not have it, or the server sent something that does not fit together."""


@dataclass(frozen=True)
class Executor:
    """Carries steps out as this process's user, within limits."""

    allowed: Allowed
    clock: Clock
    outbound: Outbound
    # Where the list is read again before each step, so that what was taken out of it runs no more.
    read_again: Callable[[], Allowed] | None = None

    def of_now(self) -> Executor:
        """This one, with the list as it is now. Raises OpsInvalid where it can't be read: then nothing is allowed."""
        return replace(self, allowed=self.read_again()) if self.read_again is not None else self

    def understood(self, lease: Lease) -> tuple[Content, Step, dict[str, Any]]:
        """The step as this runner reads it itself in the file that it was sent, and its checked inputs.

        Raises NotAllowed. Nothing of a step comes from anywhere but the file, and nothing but values from the server.
        """
        if revision_of(lease.text) != lease.revision:
            raise NotAllowed("the file is not the revision that it is said to be")
        content = content_of(lease.runbook, lease.text)
        step = content.step(lease.key)
        if step is None or step.how not in (How.SHELL, How.HTTP):
            raise NotAllowed("the file has no such step for a runner")
        if not self.allowed.permits(lease.revision, step.body):
            short = lease.revision[:12]
            raise NotAllowed(f"revision {short} is not in this runner's list, and no pattern fits the step")
        try:
            values = {one.name: value_of(lease.inputs, one) for one in content.inputs if one.name in lease.inputs}
        except ValueError as error:
            raise NotAllowed(f"an input is not valid: expected {error}") from None
        return content, step, values

    def run(
        self,
        lease: Lease,
        content: Content,
        step: Step,
        values: Mapping[str, Any],
        tell: Callable[[str, int], bool],
    ) -> Report:
        """How it ended. `tell` is given what was written so far, every two seconds, and answers whether to stop."""
        if step.how is How.HTTP:
            return self._request(step, values, lease.output_bytes)
        with ExitStack() as stack:
            folder = self.allowed.folder or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="step-")))
            output = Output(lease.output_bytes, self.allowed.secrets)
            script = _Script(self, step, {**self.allowed.passed, **environment_of(content.inputs, values)}, folder)
            try:
                return script.run(output, tell)
            except OSError as error:
                return Report(state=State.FAILED, detail=f"it can't be started here: {error.strerror}")

    def _request(self, step: Step, values: Mapping[str, Any], most: int) -> Report:
        output = Output(most, self.allowed.secrets)
        try:
            asked = request_of(step, values)
            outbound = Outbound(self.outbound.allowed, self.outbound.ca_file, float(step.timeout))
            answer = outbound.ask(asked.url, asked.body.encode(), asked.headers, largest=most, method=asked.method)
        except (ValueError, DeliveryFailed) as error:
            return Report(state=State.FAILED, detail=str(error))
        except Refusal as refusal:
            return Report(state=State.FAILED, detail=refusal.detail)
        output.take(f"HTTP {answer.status}\n".encode() + answer.body)
        output.end()
        good = 200 <= answer.status < 300
        return _judged(step, output, None if good else f"answered {answer.status}", answer.status)


@dataclass
class _Script:
    """One script that runs."""

    executor: Executor
    step: Step
    environment: Mapping[str, str]
    folder: Path

    def run(self, output: Output, tell: Callable[[str, int], bool]) -> Report:
        """Raises OSError where not even the keeper can be started."""
        reading, writing = os.pipe()
        keeper = subprocess.Popen(  # noqa: S603  # nosec B603 (our own program)
            [sys.executable, "-I", "-S", str(_KEEPER), str(writing)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=[writing],
            env={"PATH": "/usr/bin:/bin"},
        )
        os.close(writing)
        assert keeper.stdin is not None  # noqa: S101 (asked for above)
        assert keeper.stdout is not None  # noqa: S101 (asked for above)
        with os.fdopen(reading, encoding="utf-8") as said, keeper.stdin, keeper.stdout:
            keeper.stdin.write(json.dumps(self._order()).encode() + b"\n")
            keeper.stdin.flush()
            stopped, late = self._follow(keeper, output, tell)
            if stopped or late:
                # Whoever it was told by is gone, as far as it knows: it ends everything.
                keeper.stdin.close()
            ended = self._said(said, keeper)
            self._drain(keeper.stdout, output)
        output.end()
        return self._report(output, ended, stopped=stopped, late=late)

    def _order(self) -> dict[str, Any]:
        return {
            "command": [*_SHELLS[self.step.language], self.step.body],
            "environment": dict(self.environment),
            "folder": str(self.folder),
            "seconds": self.step.timeout,
            "limits": dict(self.executor.allowed.limits),
        }

    def _follow(
        self, keeper: subprocess.Popen[bytes], output: Output, tell: Callable[[str, int], bool]
    ) -> tuple[bool, bool]:
        """Read until the end. Answers whether it is to be stopped, and whether the keeper itself is late."""
        clock, stream = self.executor.clock, keeper.stdout
        assert stream is not None  # noqa: S101 (asked for above)
        latest = clock.monotonic() + self.step.timeout + _GRACE_SECONDS
        told = clock.monotonic()
        with selectors.DefaultSelector() as selector:
            selector.register(stream, selectors.EVENT_READ)
            while True:
                if selector.select(_TELL_EVERY / 4):
                    chunk = os.read(stream.fileno(), _CHUNK)
                    if not chunk:
                        return False, False
                    output.take(chunk)
                if keeper.poll() is not None:
                    # It said how the script ended, or somebody killed it and what it held goes on writing.
                    return False, False
                now = clock.monotonic()
                if now > latest:
                    return False, True
                if now - told >= _TELL_EVERY:
                    told = now
                    if tell(output.text, output.bytes):
                        return True, False

    def _drain(self, stream: IO[bytes], output: Output) -> None:
        """The rest; what got away from its keeper and still holds the stream is not waited for, and cut off."""
        clock = self.executor.clock
        latest = clock.monotonic() + _TELL_EVERY
        with selectors.DefaultSelector() as selector:
            selector.register(stream, selectors.EVENT_READ)
            while (left := latest - clock.monotonic()) > 0 and selector.select(left):
                if not (chunk := os.read(stream.fileno(), _CHUNK)):
                    return
                output.take(chunk)

    def _said(self, said: IO[str], keeper: subprocess.Popen[bytes]) -> dict[str, Any]:
        try:
            keeper.wait(_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            keeper.kill()
            keeper.wait()
        found: dict[str, Any] = {}
        for line in said.read().splitlines():
            found |= json.loads(line)
        if not found.keys() & {"exit_code", "failed"}:
            with contextlib.suppress(OSError, KeyError):
                os.killpg(found["group"], signal.SIGKILL)
            found["failed"] = "it was stopped from outside"
        return found

    def _report(self, output: Output, ended: Mapping[str, Any], *, stopped: bool, late: bool) -> Report:
        if stopped:
            return _report(State.CANCELLED, output, "stopped")
        if ended.get("timed_out") or late:
            return _report(State.TIMED_OUT, output, f"it took longer than {self.step.timeout} s and was stopped")
        if "failed" in ended:
            return _report(State.FAILED, output, str(ended["failed"]))
        code = int(ended["exit_code"])
        why = None if code == 0 else f"ended by signal {-code}" if code < 0 else f"exit code {code}"
        return _judged(self.step, output, why, code)


def _judged(step: Step, output: Output, why: str | None, code: int) -> Report:
    if why is None and step.expect and step.expect not in output.text:
        why = f"expected {step.expect!r} in the output"
    return _report(State.FAILED if why else State.SUCCEEDED, output, why or "", code)


def _report(state: State, output: Output, detail: str, code: int | None = None) -> Report:
    return Report(state=state, output=output.text, output_bytes=output.bytes, exit_code=code, detail=detail)
