"""`watchkeeper runbook`: how runs go, and what is asked of somebody in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from watchkeeper.app.cli_api import ask
from watchkeeper.app.console import (
    CommandRefused,
    DatabaseOption,
    DataOption,
    JsonOption,
    ServerOption,
    TokenOption,
    out,
    print_json,
    refusals_end_the_command,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

RunArgument = Annotated[str, typer.Argument(help="The id of a run, such as run_….", show_default=False)]
StepArgument = Annotated[int, typer.Argument(min=1, max=100, help="The number of the step.", show_default=False)]
_WAITS_FOR_SOMEBODY = {"confirmation", "second_person", "check"}
_POLL_SECONDS = 1.0


def add_to(cli: typer.Typer) -> None:
    """Register the commands."""
    for name, command in (
        ("runs", list_runs),
        ("status", status),
        ("confirm", confirm),
        ("check", check),
        ("skip", skip),
        ("stop", stop),
        ("undo", undo),
    ):
        cli.command(name)(command)


def show_run(found: Mapping[str, Any]) -> None:
    """A run for people: each step with what it waits for, and what it wrote."""
    out.print(f"{found['id']}: {found['state'].replace('_', ' ')}, at /runs/{found['id']}", markup=False)
    for one in found["steps"]:
        waits = f" (waits for {one['waits_for'].replace('_', ' ')})" if one["waits_for"] else ""
        detail = f": {one['detail']}" if one["detail"] else ""
        state = one["state"].replace("_", " ")
        out.print(_shown(f"  {one['number']}. {one['title']}: {state}{waits}{detail}"), markup=False)
        for line in one["output"].splitlines():
            out.print(f"       {_shown(line)}", markup=False, style="dim")


def _shown(line: str) -> str:
    # What a script wrote moves no cursor and sets no title of the terminal that it is read on.
    return "".join(one if one.isprintable() or one == "\t" else "\ufffd" for one in line)


def list_runs(
    runbook: Annotated[str | None, typer.Option(help="Only those of this runbook.", show_default=False)] = None,
    open_only: Annotated[bool, typer.Option("--open", help="Only those that go on.")] = False,
    data: DataOption = None,
    database_url: DatabaseOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show runs, the newest first."""
    with refusals_end_the_command():
        query = {"open_only": open_only, **({"runbook": runbook} if runbook else {})}
        items = ask("GET", "/runs", data, database_url, server, token, params=query)["items"]
        if as_json:
            print_json(items)
            return
        for one in items:
            kind = " (rehearsal)" if one["dry_run"] else ""
            said = f"{one['runbook']}{kind}: {one['state'].replace('_', ' ')}, {one['started_at']}"
            out.print(f"{one['id']}  {said}", markup=False)
        if not items:
            out.print("Nothing was run yet.", markup=False)


def status(
    run: RunArgument,
    wait: Annotated[bool, typer.Option("--wait", help="Until it is over, or waits for somebody.")] = False,
    data: DataOption = None,
    database_url: DatabaseOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show how a run stands, with what its steps wrote. Exits 1 if it failed, so that scripts can go on from there."""
    import time

    while True:
        with refusals_end_the_command():
            found = ask("GET", _path(run), data, database_url, server, token)
        waits = {one["waits_for"] for one in found["steps"]} & _WAITS_FOR_SOMEBODY
        if not wait or found["finished_at"] or waits:
            break
        time.sleep(_POLL_SECONDS)
    _tell(found, as_json=as_json)
    if found["finished_at"] and found["state"] != "succeeded":
        raise typer.Exit(1)


def confirm(
    run: RunArgument,
    step: StepArgument,
    data: DataOption = None,
    database_url: DatabaseOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let a step begin, with your permissions."""
    _show("POST", run, f"/steps/{step}/confirm", data, database_url, server, token, as_json=as_json)


def check(
    run: RunArgument,
    step: StepArgument,
    note: Annotated[str, typer.Option(help="A word about it.")] = "",
    data: DataOption = None,
    database_url: DatabaseOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say that you did a step that people do."""
    path = f"/steps/{step}/check"
    _show("POST", run, path, data, database_url, server, token, {"note": note}, as_json=as_json)


def skip(
    run: RunArgument,
    step: StepArgument,
    reason: Annotated[str, typer.Option(help="Why.")] = "",
    data: DataOption = None,
    database_url: DatabaseOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Go on without a step."""
    path = f"/steps/{step}/skip"
    _show("POST", run, path, data, database_url, server, token, {"note": reason}, as_json=as_json)


def stop(
    run: RunArgument,
    data: DataOption = None,
    database_url: DatabaseOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Begin nothing more of a run, and have its runner stop what it runs."""
    _show("POST", run, "/cancel", data, database_url, server, token, as_json=as_json)


def undo(
    run: RunArgument,
    step: StepArgument,
    given: Annotated[list[str] | None, typer.Option("--input", help="name=value; may be repeated.")] = None,
    data: DataOption = None,
    database_url: DatabaseOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Start a new run that takes a step back; it waits to be confirmed, too."""
    with refusals_end_the_command():
        order = {"inputs": inputs_of(given)}
    _show("POST", run, f"/steps/{step}/undo", data, database_url, server, token, order, as_json=as_json)


def inputs_of(given: list[str] | None) -> dict[str, str]:
    """`name=value` as inputs. Raises CommandRefused for anything else."""
    wrong = next((one for one in given or [] if not one.partition("=")[1]), None)
    if wrong is not None:
        raise CommandRefused(f"--input: name=value was expected, found {wrong!r}")
    return dict(one.partition("=")[::2] for one in given or [])


def _show(
    method: str,
    run: str,
    path: str,
    data: Any,
    database_url: Any,
    server: Any,
    token: Any,
    order: dict[str, Any] | None = None,
    *,
    as_json: bool,
) -> None:
    with refusals_end_the_command():
        said: dict[str, Any] = {} if order is None else {"json": order}
        found = ask(method, f"{_path(run)}{path}", data, database_url, server, token, **said)
        _tell(found, as_json=as_json)


def _tell(found: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(found)
    else:
        show_run(found)


def _path(run: str) -> str:
    from urllib.parse import quote

    return f"/runs/{quote(run, safe='')}"
