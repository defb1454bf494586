"""`watchkeeper plan` and `watchkeeper apply`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from watchkeeper.app.console import (
    CommandRefused,
    DatabaseOption,
    DataOption,
    JsonOption,
    ServerOption,
    TokenOption,
    configuration_of,
    err,
    out,
    print_json,
    refusals_end_the_command,
)

_SIGNS = {"create": ("+", "green"), "update": ("~", "yellow"), "delete": ("-", "red"), "adopt": ("=", "cyan")}
_PLANNED = {"create": "to create", "update": "to change", "delete": "to delete", "adopt": "to take over as they are"}
_DONE = {"create": "created", "update": "changed", "delete": "deleted", "adopt": "taken over as they are"}
_CHANGING = ("create", "update", "delete")
_LONGEST = 100
DirectoryArgument = Annotated[
    Path, typer.Argument(help="The ops/ directory.", show_default=False, exists=True, file_okay=False)
]


def add_to(cli: typer.Typer) -> None:
    """Register the commands."""
    cli.command("plan")(plan)
    cli.command("apply")(apply)


def plan(
    directory: DirectoryArgument,
    data: DataOption = None,
    database_url: DatabaseOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
    check: Annotated[bool, typer.Option("--check", help="Exit 1 if anything would change.")] = False,
) -> None:
    """Show what applying the files in a directory would change. Changes nothing."""
    with refusals_end_the_command():
        found = _ask("plan", directory, data, database_url, server, token)
        _show(found, as_json=as_json, done=False)
    if check and _with(found, *_CHANGING):
        raise typer.Exit(1)


def apply(
    directory: DirectoryArgument,
    data: DataOption = None,
    database_url: DatabaseOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask before changing anything.")] = False,
    as_json: JsonOption = False,
    fingerprint: Annotated[
        str | None, typer.Option(help="Of a plan made earlier: apply only if it still is the plan.", show_default=False)
    ] = None,
) -> None:
    """Make everything as the files in a directory say, all or nothing."""
    if as_json and not yes:
        raise typer.BadParameter("--json can't ask: give --yes too")
    with refusals_end_the_command():
        if not yes:
            planned = _ask("plan", directory, data, database_url, server, token)
            _show(planned, as_json=False, done=False)
            if not _with(planned, *_SIGNS):
                return
            if not typer.confirm("Apply these changes?"):
                raise CommandRefused("Nothing was changed.")
            # What is applied is what was looked at.
            fingerprint = fingerprint or planned["fingerprint"]
        found = _ask("apply", directory, data, database_url, server, token, as_json=as_json, fingerprint=fingerprint)
        _show(found, as_json=as_json, done=True)


def _ask(
    verb: str,
    directory: Path,
    data: Path | None,
    database_url: str | None,
    server: str | None,
    token: str | None,
    *,
    as_json: bool = False,
    **order: Any,
) -> Any:
    # Imported here: `--help` needs none of it.
    from watchkeeper.app.local import Elsewhere, connect, connect_to_nothing, result_of
    from watchkeeper.kernel.ops import OpsInvalid, read_directory

    try:
        files = read_directory(directory)
    except OpsInvalid as refusal:
        complaints = [{"where": one.where, "expected": one.expected} for one in refusal.complaints]
        raise _invalid(directory, complaints, refusal.detail) from None
    body = {"files": files, **{key: value for key, value in order.items() if value is not None}}
    configuration = configuration_of(data=data, database_url=database_url)
    elsewhere = Elsewhere(server, token) if server else None
    # A plan needs no server and no data directory: files can be checked anywhere, against nothing.
    opened = connect_to_nothing if verb == "plan" and elsewhere is None else connect
    with opened(configuration, elsewhere) as client:
        answer = client.post(f"/api/v1/ops/{verb}", json=body)
    problem = answer.json() if answer.status_code in (409, 422) else {}
    if problem.get("code") == OpsInvalid.code:
        raise _invalid(directory, problem["errors"], problem["detail"])
    if problem.get("plan"):
        _show(problem["plan"], as_json=as_json, done=False)
    return result_of(answer)


def _invalid(directory: Path, complaints: list[dict[str, str]], detail: str) -> CommandRefused:
    # file:line:column at the start of a line is what editors and terminals make a link of.
    return CommandRefused(
        *(f"{(directory / one['where']).as_posix()}: {one['expected']}" for one in complaints), detail
    )


def _with(found: Any, *actions: str) -> list[Any]:
    return [change for change in found["changes"] if change["action"] in actions]


def _show(found: Any, *, as_json: bool, done: bool) -> None:
    if as_json:
        print_json(found)
        return
    for notice in found["notices"]:
        err.print(notice, markup=False, style="dim")
    for change in _with(found, *_SIGNS):
        for line in _lines(change):
            out.print(line)
    words = _DONE if done else _PLANNED
    counts = [f"{count} {word}" for action, word in words.items() if (count := len(_with(found, action)))]
    adopted, same = len(_with(found, "adopt")), len(_with(found, "unchanged"))
    if _with(found, *_CHANGING) or (done and adopted):
        out.print(f"{'Applied' if done else 'Plan'}: {', '.join(counts)}, {same} unchanged.", markup=False)
        return
    also = f" {adopted} of them will belong to the files when they are applied." if adopted else ""
    out.print(f"Nothing to change: {adopted + same} as the files say.{also}", markup=False)


def _lines(change: Any) -> list[Text]:
    sign, colour = _SIGNS[change["action"]]
    head = Text(f"{sign} {change['kind']} {change['name']}", style=colour)
    if change["note"]:
        head.append(f"  {change['note']}", style="dim")
    return [head, *(_field(change, name, before, after) for name, (before, after) in change["fields"].items())]


def _field(change: Any, name: str, before: Any, after: Any) -> Text:
    line = Text(f"    {name}: ")
    if change["action"] != "create":
        line.append(_short(before), style="red")
    if change["action"] in ("update", "adopt"):
        line.append(" → ")
    if change["action"] != "delete":
        line.append(_short(after), style="green")
    if name in change["drift"]:
        line.append("  (changed outside the files since they were applied)", style="magenta")
    return line


def _short(value: Any) -> str:
    if value is None:
        return "nothing"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
