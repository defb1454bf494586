"""`watchkeeper runner`: runs steps of runbooks from inside your network, and nothing that is not in its own list."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from watchkeeper.app.console import CommandRefused, err, refusals_end_the_command

if TYPE_CHECKING:
    from watchkeeper.kernel.outbound import Network
    from watchkeeper.modules.runbooks.runner.allow import Allowed


def add_to(cli: typer.Typer) -> None:
    """Register the command."""
    cli.command("runner")(runner)


def runner(
    url: Annotated[str, typer.Option("--url", help="The server's address, such as https://ops.example.com.")],
    token_file: Annotated[
        Path, typer.Option("--token-file", help="File with an API token of the scope runner.", dir_okay=False)
    ],
    allow: Annotated[
        Path, typer.Option("--allow", help="This runner's own list of what it may run (YAML).", dir_okay=False)
    ],
    name: Annotated[str | None, typer.Option(help="What it is called (default: this machine's name).")] = None,
    ca_file: Annotated[Path | None, typer.Option(help="PEM file of authorities to trust besides.")] = None,
    private_networks: Annotated[
        str, typer.Option(help="Private networks that steps with requests may reach, separated by commas.")
    ] = "",
    as_root: Annotated[bool, typer.Option("--as-root", help="Run steps even as root.")] = False,
    once: Annotated[bool, typer.Option("--once", help="Take at most one step, then end.")] = False,
) -> None:
    """Take steps of signed-off runbooks from a server, run them here, and tell how they ended. Ends on SIGTERM."""
    with refusals_end_the_command():
        from watchkeeper.modules.runbooks.runner.allow import is_root

        if is_root() and not as_root:
            raise CommandRefused("this is root: run it as a user that may do little, or say --as-root")
        _run(url, _token(token_file), allow, name or socket.gethostname(), ca_file, private_networks, once=once)


def _run(
    url: str, token: str, allow: Path, name: str, ca_file: Path | None, private_networks: str, *, once: bool
) -> None:
    import httpx

    from watchkeeper.kernel.clock import SystemClock
    from watchkeeper.kernel.outbound import Outbound
    from watchkeeper.kernel.settings import ServerSettings
    from watchkeeper.kernel.telemetry.logs import configure_logging
    from watchkeeper.modules.runbooks.runner.executing import Executor
    from watchkeeper.modules.runbooks.runner.http_exchange import HttpExchange, RunnerRefused
    from watchkeeper.modules.runbooks.runner.loop import Runner

    allowed = _allowed(allow)
    executor = Executor(allowed, SystemClock(), Outbound(_networks(private_networks), ca_file))
    configure_logging(ServerSettings.model_validate({}))
    verify = httpx.create_ssl_context(trust_env=False)
    if ca_file is not None:
        verify.load_verify_locations(ca_file)
    headers = {"Authorization": f"Bearer {token}"}
    with httpx.Client(base_url=url, headers=headers, verify=verify, trust_env=False) as client:
        running = Runner(HttpExchange(client, name), executor)
        for sign in (signal.SIGINT, signal.SIGTERM):
            signal.signal(sign, lambda *_: running.stopping.set())
        try:
            if once:
                running.run_once()
            else:
                err.print(f"Takes steps from {url}: {_said(allowed.revisions, allowed.commands)}.", markup=False)
                running.run()
        except RunnerRefused as refused:
            raise CommandRefused(f"{url}: {refused}") from None


def _allowed(file: Path) -> Allowed:
    from watchkeeper.kernel.ops import OpsInvalid
    from watchkeeper.modules.runbooks.runner.allow import read_allowed

    try:
        return read_allowed(file, os.environ)
    except OpsInvalid as refusal:
        lines = [f"{one.where}: {one.expected}" for one in refusal.complaints] or [refusal.detail]
        raise CommandRefused(*lines) from None


def _networks(said: str) -> tuple[Network, ...]:
    from watchkeeper.kernel.outbound import parse_networks

    try:
        return parse_networks(said)
    except ValueError as error:
        raise CommandRefused(f"--private-networks: {error}") from None


def _token(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        raise CommandRefused(f"{file}: can't be read as a token") from None


def _said(revisions: frozenset[str], commands: tuple[str, ...]) -> str:
    return f"{len(revisions)} revisions and {len(commands)} patterns are allowed"
