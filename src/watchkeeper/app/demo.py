"""`watchkeeper demo`: Watchkeeper, a sample product and its visitors, started and ended together.

The demo itself only supervises: the server and the product are processes of their own, as they are in earnest.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from watchkeeper.app import demo_incident
from watchkeeper.app.console import CommandRefused, out, refusals_end_the_command

if TYPE_CHECKING:
    import httpx

    from watchkeeper.app.demo_processes import Children
    from watchkeeper.kernel.clock import Clock

_VISIBLE_WITHIN = 30.0
# What a runner of the sample product may run.
RUNNER = "runner.yaml"
# The product's day passes in two hours and begins at eleven: first comes its busy noon, then the rest of a day.
_ACCELERATION, _FROM_HOUR = 12, 11


demo_cli = typer.Typer(invoke_without_command=True)


def add_to(cli: typer.Typer) -> None:
    """Register the command and what is below it."""
    demo_cli.callback()(demo)
    demo_incident.add_to(demo_cli)
    cli.add_typer(demo_cli, name="demo")


@dataclass(frozen=True)
class Wanted:
    """What the command line asked for."""

    data: Path
    product: Path
    port: int
    rate: float
    seed: int
    releases: tuple[str, ...] = ()
    seconds: float | None = None


@dataclass
class _Asked:
    """Whether somebody has asked to stop."""

    to_stop: bool = field(default=False)

    def listen(self) -> None:
        """To Ctrl-C, to a polite end, and to the terminal's end."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._stop)

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self.to_stop = True


def demo(
    context: typer.Context,
    release: Annotated[
        list[str] | None,
        typer.Option(help="v1 (good) or v2 (bad), or of one service: chat=v2. Repeatable.", show_default="v1"),
    ] = None,
    port: Annotated[int, typer.Option(help="Watchkeeper's port; 0 picks a free one.")] = 8700,
    rate: Annotated[float, typer.Option(min=0, help="Requests per second of the product's visitors, on average.")] = 20,
    seed: Annotated[int, typer.Option(help="The same seed brings the same visitors with the same wishes.")] = 7,
    product: Annotated[Path, typer.Option(help="Directory of the sample product.")] = Path("examples/duet"),
    data: Annotated[Path, typer.Option(help="Where everything is kept.")] = Path("watchkeeper-data/demo"),
    seconds: Annotated[
        float | None, typer.Option("--for", min=0, help="Stop after so many seconds.", show_default="Ctrl-C")
    ] = None,
) -> None:
    """Start Watchkeeper with a sample product under traffic, and print a link that signs in. Ctrl-C ends all of it."""
    if context.invoked_subcommand is not None:
        return
    with refusals_end_the_command():
        run(Wanted(data.absolute(), product.absolute(), port, rate, seed, tuple(release or ()), seconds))


def run(wanted: Wanted) -> None:
    """The whole demo, until somebody stops it. Raises CommandRefused when a part can't start or dies."""
    from watchkeeper.app.demo_phones import phones
    from watchkeeper.app.demo_processes import Children
    from watchkeeper.kernel.clock import SystemClock

    _require_product(wanted.product)
    _require_free(wanted.data)
    asked, clock = _Asked(), SystemClock()
    asked.listen()
    end = None if wanted.seconds is None else clock.monotonic() + wanted.seconds

    def done() -> bool:
        return asked.to_stop or (end is not None and clock.monotonic() >= end)

    logs = wanted.data / "logs"
    with phones(logs / "phones.jsonl") as called, Children(logs, clock) as children:
        _start(wanted, children, called, clock, done)
        while not done():
            children.require_alive()
            children.wait(0.2)
        out.print("Stopping …")
    out.print("Everything has stopped.")


def _start(wanted: Wanted, children: Children, phones: str, clock: Clock, done: Callable[[], bool]) -> None:
    began = clock.monotonic()
    hello = children.start_server(wanted.data, wanted.port, wanted.product, phones, done)
    if hello is None:
        return
    out.print(f"Watchkeeper is up after {clock.monotonic() - began:.1f} s; its data and logs are in {wanted.data}")
    with _local_client(wanted.data) as client:
        described = _apply(client, wanted.product / "ops")
        called = f"{wanted.product.name} of the demo"
        settings = {"WATCHKEEPER_URL": hello["url"], "WATCHKEEPER_TOKEN": _token(client, called, "read", "intake")}
        if (wanted.product / RUNNER).is_file():
            _sign_off(client)
            token = _token(client, "runner of the demo", "runner")
            children.start_runner(wanted.product, wanted.data, hello["url"], token)
        children.start_product(wanted.product, _arguments(wanted, hello["url"]), settings)
        out.print(f"{wanted.product.name} starts, {wanted.rate:g} requests per second; sign in here (works once):")
        out.print(f"\n    {hello['link']}\n", markup=False)
        out.print(f"Pages to its people end on this machine: {wanted.data / 'logs' / 'phones.jsonl'}", markup=False)
        _wait_for_data(client, described, children, clock, done)
    if not done():
        out.print("Ctrl-C stops everything.")


def _arguments(wanted: Wanted, url: str) -> list[str]:
    return [
        "run",
        f"--data={wanted.data / wanted.product.name}",
        f"--endpoint={url}",
        f"--rate={wanted.rate}",
        f"--seed={wanted.seed}",
        f"--acceleration={_ACCELERATION}",
        f"--from-hour={_FROM_HOUR}",
        *(f"--release={release}" for release in wanted.releases),
    ]


def _wait_for_data(
    client: httpx.Client, described: list[str], children: Children, clock: Clock, done: Callable[[], bool]
) -> None:
    """Say of each described service when its telemetry can be seen."""
    began, since, missing = clock.monotonic(), clock.now(), set(described)
    while missing and not done() and clock.monotonic() - began < _VISIBLE_WITHIN:
        children.require_alive()
        seen = _seen(client, since) & missing
        for name in sorted(seen):
            out.print(f"  {name}: its data is visible after {clock.monotonic() - began:.1f} s", markup=False)
        missing -= seen
        children.wait(0.2)
    if missing and not done():
        out.print(f"  Nothing has arrived yet from {', '.join(sorted(missing))}; see the logs.", markup=False)


def _seen(client: httpx.Client, since: datetime) -> set[str]:
    """Services whose telemetry has arrived since then; one without requests yet sends metrics all the same."""
    import httpx

    from watchkeeper.app.local import result_of
    from watchkeeper.kernel.clock import parse_rfc3339

    try:
        requested: Any = result_of(client.get("/api/v1/telemetry/services", params={"since": "1m"}))
        known: Any = result_of(client.get("/api/v1/services", params={"limit": 200}))
    except httpx.TransportError:  # a server that has died is told of with its last words, by who looks after it
        return set()
    heard = {one["name"] for one in known["items"] if one["last_seen"] and parse_rfc3339(one["last_seen"]) >= since}
    return heard | {one["service"] for one in requested}


def _sign_off(client: httpx.Client) -> None:
    """Every runbook, as somebody of the product's team would after reading it: else no step of it runs."""
    from watchkeeper.app.local import result_of

    known: Any = result_of(client.get("/api/v1/runbooks", params={"limit": 200}))
    for one in known["items"]:
        if one["approved_by"] is None:
            result_of(client.post(f"/api/v1/runbooks/{one['name']}/approve", json={"revision": one["revision"]}))


def _token(client: httpx.Client, called: str, *scopes: str) -> str:
    """A token of these scopes; what an earlier demo made is of no more use."""
    from watchkeeper.app.local import result_of

    known: Any = result_of(client.get("/api/v1/tokens", params={"limit": 200}))
    for one in known["items"]:
        if one["name"] == called and one["revoked_at"] is None:
            result_of(client.delete(f"/api/v1/tokens/{one['id']}"))
    made: Any = result_of(client.post("/api/v1/tokens", json={"name": called, "scopes": list(scopes)}))
    return str(made["secret"])


def _apply(client: httpx.Client, ops: Path) -> list[str]:
    """Describe the product's services as its files do; their names."""
    from watchkeeper.app.local import result_of
    from watchkeeper.kernel.ops import read_directory

    found: Any = result_of(client.post("/api/v1/ops/apply", json={"files": read_directory(ops)}))
    return [
        change["name"] for change in found["changes"] if change["kind"] == "service" and change["action"] != "delete"
    ]


def _local_client(data: Path) -> Any:
    from watchkeeper.app.configuration import load_configuration
    from watchkeeper.app.local import connect

    return connect(load_configuration({}, data=data))


def _require_product(product: Path) -> None:
    if not (product / "__main__.py").is_file() or not (product / "ops").is_dir():
        raise CommandRefused(
            f"there is no sample product in {product}: it comes with Watchkeeper's source, in examples/duet.",
            "Run this command in a clone of the source, or name the directory with --product.",
        )


def _require_free(data: Path) -> None:
    from watchkeeper.kernel.db.lock import read_running

    running = read_running(data) if data.exists() else None
    if running is not None:
        raise CommandRefused(
            f"{data} is in use by process {running.pid} at {running.url}: is the demo running already?"
        )
