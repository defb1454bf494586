"""`watchkeeper runner`: runs steps of runbooks from inside your network, and nothing that is not in its own list."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer

from watchkeeper.app.console import CommandRefused, err, refusals_end_the_command

if TYPE_CHECKING:
    import ssl

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
    user: Annotated[
        str | None, typer.Option("--user", help="Where this is root: become this user first.", show_default=False)
    ] = None,
    as_root: Annotated[bool, typer.Option("--as-root", help="Run steps even as root.")] = False,
    plain_http: Annotated[
        bool, typer.Option("--plain-http", help="Speak http:// with a server that is not on this machine.")
    ] = False,
    once: Annotated[bool, typer.Option("--once", help="Take at most one step, then end.")] = False,
) -> None:
    """Take steps of signed-off runbooks from a server, run them here, and tell how they ended. Ends on SIGTERM.

    The list is read again before each step; on SIGHUP it is read and told.
    """
    with refusals_end_the_command():
        from watchkeeper.modules.runbooks.runner.allow import is_root

        _require_safe(url, plain_http=plain_http)
        token = _token(token_file)
        if user is not None:
            _become(user)
        if is_root() and not as_root:
            raise CommandRefused("this is root: name a user that may do little with --user, or say --as-root")
        _run(url, token, allow, name or socket.gethostname(), ca_file, private_networks, once=once)


def _run(
    url: str, token: str, allow: Path, name: str, ca_file: Path | None, private_networks: str, *, once: bool
) -> None:
    import httpx

    from watchkeeper.kernel.clock import SystemClock
    from watchkeeper.kernel.outbound import Outbound
    from watchkeeper.kernel.settings import ServerSettings
    from watchkeeper.kernel.telemetry.logs import configure_logging
    from watchkeeper.modules.runbooks.runner.allow import read_allowed
    from watchkeeper.modules.runbooks.runner.executing import Executor
    from watchkeeper.modules.runbooks.runner.http_exchange import HttpExchange, RunnerRefused
    from watchkeeper.modules.runbooks.runner.loop import Runner

    allowed = _allowed(allow)
    outbound = Outbound(_networks(private_networks), ca_file)
    executor = Executor(allowed, SystemClock(), outbound, lambda: read_allowed(allow, os.environ))
    configure_logging(ServerSettings.model_validate({}))
    verify = httpx.create_ssl_context(trust_env=False)
    if ca_file is not None:
        _trust(verify, ca_file)
    headers = {"Authorization": f"Bearer {token}"}
    with httpx.Client(base_url=url, headers=headers, verify=verify, trust_env=False) as client:
        running = Runner(HttpExchange(client, name), executor)
        for sign in (signal.SIGINT, signal.SIGTERM):
            signal.signal(sign, lambda *_: running.stopping.set())
        signal.signal(signal.SIGHUP, lambda *_: _tell(allow))
        try:
            if once:
                running.run_once()
            else:
                err.print(f"Takes steps from {url}: {allowed}.", markup=False)
                running.run()
        except RunnerRefused as refused:
            raise CommandRefused(f"{url}: {refused}") from None


def _require_safe(url: str, *, plain_http: bool) -> None:
    """A token and what steps write go to this address: not in clear over somebody's network."""
    from watchkeeper.modules.identity.oidc_model import is_this_machine

    parts = urlsplit(url)
    if parts.scheme not in ("https", "http") or not parts.hostname or parts.username:
        raise CommandRefused("--url: an address such as https://ops.example.com was expected")
    if parts.scheme == "http" and not plain_http and not is_this_machine(parts.hostname):
        raise CommandRefused(
            "--url: http:// would send this runner's token and what steps write in clear. Use https://, or say "
            "--plain-http where nobody else is on the way"
        )


def _become(user: str) -> None:
    """Give up what root may do, for good."""
    import pwd

    try:
        found = pwd.getpwnam(user)
    except KeyError:
        raise CommandRefused(f"--user: there is no user {user!r} here") from None
    if found.pw_uid == os.geteuid():
        return
    try:
        os.initgroups(user, found.pw_gid)
        os.setgid(found.pw_gid)
        os.setuid(found.pw_uid)
    except OSError as error:
        raise CommandRefused(f"--user: can't become {user}: {error.strerror}") from None
    os.environ["HOME"] = found.pw_dir


def _trust(verify: ssl.SSLContext, ca_file: Path) -> None:
    try:
        verify.load_verify_locations(ca_file)
    except OSError as error:
        raise CommandRefused(f"--ca-file: {ca_file} can't be read as certificates: {error.strerror or error}") from None


def _tell(file: Path) -> None:
    try:
        err.print(f"The list was read: {_allowed(file)}.", markup=False)
    except CommandRefused as refused:
        err.print("Nothing is allowed: the list can't be read.", *refused.lines, sep="\n", markup=False)


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
