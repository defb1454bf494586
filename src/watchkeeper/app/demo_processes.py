"""The processes that a demo consists of: none outlives it, however it ends."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import IO

from watchkeeper.app.console import CommandRefused
from watchkeeper.kernel.clock import Clock

_PR_SET_PDEATHSIG = 1
_SERVER_STARTS_WITHIN = 60.0
_ENDS_WITHIN = 12.0
_LINES_SHOWN = 12
# Somebody who starts the demo and looks at it after lunch still gets in.
_LINK_MINUTES = "60"
_NETWORKS, _LOOPBACK = "WATCHKEEPER_OUTBOUND_PRIVATE_NETWORKS", "127.0.0.1/32"


class Children:
    """The server and the product. Leaving the context ends them, the youngest first."""

    def __init__(self, logs: Path, clock: Clock) -> None:
        self._logs = logs
        self._clock = clock
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Children:
        self._logs.mkdir(mode=0o700, parents=True, exist_ok=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in reversed(self._running.values()):
            _end(process)

    def start_server(
        self, data: Path, port: int, product: Path, phones: str, done: Callable[[], bool]
    ) -> dict[str, str] | None:
        """Start Watchkeeper; its address and a link that signs in, or None when it is `done` before. May refuse.

        `phones` is where those of the product's people are; it is on this machine, which nothing may reach otherwise.
        """
        here, there = os.pipe()
        settings = {
            "WATCHKEEPER_DATA": str(data),
            "WATCHKEEPER_PORT": str(port),
            "WATCHKEEPER_IDENTITY_LOGIN_LINK_MINUTES": _LINK_MINUTES,
            _NETWORKS: ",".join(filter(None, (os.environ.get(_NETWORKS), _LOOPBACK))),
        }
        try:
            command = [sys.executable, "-m", "watchkeeper.app.demo_server", str(there), str(product), phones]
            self._start("watchkeeper", command, {**os.environ, **settings}, Path.cwd(), pass_fds=(there,))
        finally:
            os.close(there)
        with os.fdopen(here, "rb") as pipe:
            os.set_blocking(pipe.fileno(), False)
            return self._hello(pipe, done)

    def start_product(self, product: Path, arguments: list[str], settings: Mapping[str, str]) -> None:
        """Start the sample product, a package that is run by its name below the directory above its parent.

        `settings` go into its environment: what it reads its configuration with is no matter of a command line.
        """
        root, module = product.parent.parent, f"{product.parent.name}.{product.name}"
        # Named for products that look after their own end, as Duet's processes do where the kernel can't help.
        environment = {**os.environ, **settings, "DUET_PARENT": str(os.getpid())}
        self._start(product.name, [sys.executable, "-m", module, *arguments], environment, root)

    def start_runner(self, product: Path, data: Path, url: str, token: str) -> None:
        """Start what runs steps of the product's runbooks; it sees where the product keeps its data."""
        file = data / "runner.token"
        file.touch(mode=0o600)
        file.write_text(token, encoding="ascii")
        command = [sys.executable, "-m", "watchkeeper", "runner", "--url", url, "--token-file", str(file)]
        as_root = ["--as-root"] if os.geteuid() == 0 else []
        # Steps find the python that the product runs on.
        path = os.pathsep.join(filter(None, (str(Path(sys.executable).parent), os.environ.get("PATH"))))
        environment = {**os.environ, "PATH": path, "DUET_DATA": str(data / product.name)}
        allowed = str(product / "runner.yaml")
        self._start("runner", [*command, "--allow", allowed, *as_root], environment, Path.cwd())

    def require_alive(self) -> None:
        """Raise CommandRefused with the end of its log when one has died."""
        for name, process in self._running.items():
            if process.poll() is not None:
                raise CommandRefused(f"{name} ended with code {process.returncode}:", *self._last_lines(name))

    def wait(self, seconds: float) -> None:
        """Let time pass; a signal ends the wait."""
        time.sleep(seconds)

    def _start(
        self,
        name: str,
        command: list[str],
        environment: Mapping[str, str],
        directory: Path,
        pass_fds: tuple[int, ...] = (),
    ) -> None:
        with (self._logs / f"{name}.log").open("wb") as log:
            self._running[name] = subprocess.Popen(  # noqa: S603 (our own interpreter and arguments)
                command,
                env=dict(environment),
                cwd=directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=pass_fds,
                start_new_session=True,  # Ctrl-C reaches the demo alone, which then ends them in order
                preexec_fn=_dying_with_parent(),
            )

    def _hello(self, pipe: IO[bytes], done: Callable[[], bool]) -> dict[str, str] | None:
        until, said = self._clock.monotonic() + _SERVER_STARTS_WITHIN, b""
        while not done():
            said += pipe.read() or b""
            if said.endswith(b"}"):
                return {str(name): str(value) for name, value in json.loads(said).items()}
            self.require_alive()
            if self._clock.monotonic() > until:
                raise CommandRefused("Watchkeeper did not start:", *self._last_lines("watchkeeper"))
            self.wait(0.02)
        return None

    def _last_lines(self, name: str) -> list[str]:
        file = self._logs / f"{name}.log"
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()[-_LINES_SHOWN:]
        return [*(f"  {line}" for line in lines), f"  (all of it is in {file})"]


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_ENDS_WITHIN)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _dying_with_parent() -> Callable[[], None] | None:
    """What a new process does first, so that it dies with the demo even when that is killed; Linux only."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl  # looked up before the fork: a forked child should not load anything
    parent = os.getpid()

    def ask_the_kernel() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died between the fork and the request
            os._exit(1)

    return ask_the_kernel
