"""`watchkeeper runbook`: begin one, look for what is wrong, read, search, sign off, run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from watchkeeper.app import cli_runbook_runs
from watchkeeper.app.cli_api import ask
from watchkeeper.app.cli_runbook_runs import inputs_of, show_run
from watchkeeper.app.console import (
    CommandRefused,
    DatabaseOption,
    DataOption,
    JsonOption,
    ServerOption,
    TokenOption,
    err,
    out,
    print_json,
    refusals_end_the_command,
)

if TYPE_CHECKING:
    from watchkeeper.app.runbook_links import Links
    from watchkeeper.modules.runbooks.public import Known, Problem

runbook_cli = typer.Typer(help="Runbooks: what to do at night.", no_args_is_help=True)
cli_runbook_runs.add_to(runbook_cli)
_FOLDER = Path("ops/runbooks")


@runbook_cli.command("new")
def new(
    service: Annotated[str | None, typer.Option(help="The service that it is about.", show_default=False)] = None,
    alert: Annotated[str | None, typer.Option(help="The alert that it is about.", show_default=False)] = None,
    owner: Annotated[str | None, typer.Option(help="Team or person.", show_default=False)] = None,
    folder: Annotated[Path, typer.Option(help="Where it is written.", file_okay=False)] = _FOLDER,
    as_json: JsonOption = False,
) -> None:
    """Write a runbook to be filled in, for a service or an alert. Overwrites no file."""
    with refusals_end_the_command():
        from watchkeeper.kernel.clock import SystemClock
        from watchkeeper.modules.runbooks.model import Kind
        from watchkeeper.modules.runbooks.reading import slug
        from watchkeeper.modules.runbooks.template import template

        if service is None and alert is None:
            raise CommandRefused("name a service with --service, an alert with --alert, or both")
        kind = Kind.SERVICE if alert is None else Kind.ALERT
        name = slug(alert or service or "").strip("-_") or "runbook"
        today = SystemClock().now().date()
        text = template(kind, name, service=service, alert=alert, owner=owner, today=today)
        path = folder / f"{name}.md"
        _write(path, text)
        if as_json:
            print_json({"written": path.as_posix()})
            return
        out.print(f"wrote {path.as_posix()}", markup=False)
        out.print(f"Next: fill it in, then `watchkeeper runbook lint {path.as_posix()}`.", markup=False)


@runbook_cli.command("lint")
def lint(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(help="Files, or folders such as ops/runbooks; none: those of the server.", show_default=False),
    ] = None,
    data: DataOption = None,
    database_url: DatabaseOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit 1 also where there are only warnings.")] = False,
    links: Annotated[
        bool, typer.Option("--links", help="Ask every address of the web in the files whether it is there.")
    ] = False,
    private_networks: Annotated[
        str, typer.Option(help="Private networks that --links may reach, separated by commas.")
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """Look for what is wrong: sections, links, names, commands, reviews. Files need no server.

    Names are those of the files in the same ops/ directory, and of the server where one is given. Of a whole ops/
    directory also told are objectives and heartbeats that no runbook is about.
    """
    with refusals_end_the_command():
        if paths:
            from watchkeeper.app.runbook_files import lint_files

            known = _known_by(server, token) if server is not None else None
            found, count = lint_files(paths, known, _asked(private_networks) if links else None)
        else:
            if links:
                raise CommandRefused("--links looks at files: name them, or a folder such as ops/runbooks")
            found, count = _lint_of_server(data, database_url, server, token)
        if as_json:
            print_json([_plain(one) for one in found])
        else:
            _show_problems(found, count)
    if any(one.level == "error" or strict for one in found):
        raise typer.Exit(1)


@runbook_cli.command("list")
def list_runbooks(
    service: Annotated[str | None, typer.Option(help="Only those of this service.", show_default=False)] = None,
    data: DataOption = None,
    database_url: DatabaseOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show every runbook: when it was reviewed, what lint finds, whether its steps may run."""
    with refusals_end_the_command():
        query = {"service": service} if service else {}
        items = ask("GET", "/runbooks", data, database_url, server, token, params=query)["items"]
        if as_json:
            print_json(items)
            return
        for one in items:
            said = [
                f"reviewed {one['reviewed_at'] or 'never'}{', overdue' if one['overdue'] else ''}",
                f"{one['problems']} problems" if one["problems"] else "clean",
                "signed off" if one["approved_by"] else "not signed off",
            ]
            out.print(f"{one['name']:<32} {one['service'] or '-':<20} {'; '.join(said)}", markup=False)
        if not items:
            out.print("There are no runbooks yet. Begin one: `watchkeeper runbook new --service NAME`.", markup=False)


@runbook_cli.command("show")
def show(
    name: Annotated[str, typer.Argument(help="The file's name without .md.")],
    data: DataOption = None,
    database_url: DatabaseOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print a runbook, and what lint says of it."""
    with refusals_end_the_command():
        found = ask("GET", f"/runbooks/{_in_path(name)}", data, database_url, server, token)
        if as_json:
            print_json(found)
            return
        out.print(found["text"], markup=False)
        for one in found["findings"]:
            err.print(f"{one['where']}: {one['said']}", markup=False, style="yellow")


@runbook_cli.command("search")
def search(
    words: Annotated[list[str], typer.Argument(help="All of them have to be there.")],
    data: DataOption = None,
    database_url: DatabaseOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Find sections by the words of title, heading and text."""
    with refusals_end_the_command():
        query = {"q": " ".join(words)}
        items = ask("GET", "/runbooks/search", data, database_url, server, token, params=query)["items"]
        if as_json:
            print_json(items)
            return
        for one in items:
            out.print(f"{one['href']:<48} {one['title']}: {one['heading']}", markup=False)
            out.print(f"    {one['excerpt']}", markup=False, style="dim")
        if not items:
            out.print("Nothing was found.", markup=False)


@runbook_cli.command("approve")
def approve(
    name: Annotated[str, typer.Argument(help="The file's name without .md.")],
    revision: Annotated[str, typer.Option(help="SHA-256 of the file that was read; `show --json` tells it.")],
    data: DataOption = None,
    database_url: DatabaseOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Sign a revision off, so that its steps may run."""
    with refusals_end_the_command():
        order = {"revision": revision}
        path = f"/runbooks/{_in_path(name)}/approve"
        found = ask("POST", path, data, database_url, server, token, json=order)
        if as_json:
            print_json(found)
            return
        out.print(f"{name}: revision {found['revision'][:12]} is signed off.", markup=False)


@runbook_cli.command("run")
def run(
    name: Annotated[str, typer.Argument(help="The file's name without .md.")],
    step: Annotated[list[str] | None, typer.Option(help="The id of a step; may be repeated.")] = None,
    given: Annotated[list[str] | None, typer.Option("--input", help="name=value; may be repeated.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be done, and do nothing.")] = False,
    reason: Annotated[str, typer.Option(help="Why; kept on the timeline.")] = "",
    data: DataOption = None,
    database_url: DatabaseOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Start a run of steps. Each waits until somebody confirms it: on its page, or with `runbook confirm RUN STEP`."""
    with refusals_end_the_command():
        inputs = inputs_of(given)
        order = {"steps": step or None, "inputs": inputs, "dry_run": dry_run, "reason": reason}
        path = f"/runbooks/{_in_path(name)}/runs"
        found = ask("POST", path, data, database_url, server, token, json=order)
        if as_json:
            print_json(found)
            return
        show_run(found)


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise CommandRefused(f"{path} is there already") from None
    except OSError as error:
        raise CommandRefused(f"can't write {path}: {error.strerror}") from error


def _asked(private_networks: str) -> Links:
    from watchkeeper.app.runbook_links import Links
    from watchkeeper.kernel.outbound import Outbound, parse_networks

    try:
        return Links(Outbound(parse_networks(private_networks)))
    except ValueError as error:
        raise CommandRefused(f"--private-networks: {error}") from None


def _known_by(server: str, token: str | None) -> Known:
    from watchkeeper.modules.runbooks.public import Known

    said = ask("GET", "/runbooks/known", None, None, server, token)
    names: dict[str, Any] = {name: None if there is None else frozenset(there) for name, there in said.items()}
    return Known(**names)


def _lint_of_server(data: Any, database_url: Any, server: Any, token: Any) -> tuple[list[Problem], int]:
    from watchkeeper.modules.runbooks.public import Problem

    items = ask("GET", "/runbooks", data, database_url, server, token)["items"]
    found = []
    for one in items:
        path = f"/runbooks/{_in_path(one['name'])}/problems"
        for said in ask("GET", path, data, database_url, server, token)["items"]:
            file, line, column = said["where"].rsplit(":", 2)
            found.append(Problem(said["code"], said["said"], file, int(line), int(column), said["level"]))
    return found, len(items)


def _show_problems(found: list[Problem], count: int) -> None:
    # file:line:column at the start of a line is what editors and terminals make a link of.
    for one in found:
        warning = "warning: " if one.level == "warning" else ""
        err.print(f"{one.where}: {warning}{one.text}", markup=False)
    runbooks = f"{count} {'runbook' if count == 1 else 'runbooks'}"
    said = f"{len(found)} {'problem' if len(found) == 1 else 'problems'}" if found else "nothing wrong"
    out.print(f"{runbooks}: {said}.", markup=False)


def _plain(one: Problem) -> dict[str, Any]:
    return {"level": one.level, "code": one.code, "where": one.where, "said": one.text}


def _in_path(name: str) -> str:
    from urllib.parse import quote

    return quote(name, safe="")
