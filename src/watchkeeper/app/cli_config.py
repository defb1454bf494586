"""`watchkeeper config`: what the product's parameters and flags are, and why."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from watchkeeper.app import cli_config_change, cli_config_docs, cli_config_files
from watchkeeper.app.cli_config_api import EnvironmentOption, KeyArgument, api, in_words, path_of, step_line
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

config_cli = typer.Typer(help="Parameters and flags of the product.", no_args_is_help=True)

UserOption = Annotated[str | None, typer.Option(help="As this user of the product gets it.", show_default=False)]
AttributesOption = Annotated[
    str | None, typer.Option(help='What is known of the user, as JSON: {"country": "NO"}.', show_default=False)
]


@config_cli.command("list")
def list_parameters(
    group: Annotated[str | None, typer.Option(help="Only this group and those below it.", show_default=False)] = None,
    search: Annotated[
        str | None, typer.Option(help="Only with this text in the key or the description.", show_default=False)
    ] = None,
    environment: EnvironmentOption = None,
    data: DataOption = None,
    database_url: DatabaseOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the registry: each key with what is set for everybody, or its default."""
    with refusals_end_the_command(), api(data, database_url, server, token) as asked:
        found = asked.pages("/parameters", group=group, search=search, environment=environment)
        if as_json:
            print_json(found)
            return
        width = max((len(one["definition"]["key"]) for one in found), default=0)
        for one in found:
            out.print(f"{one['definition']['key']:<{width}}  {_held(one)}", markup=False)


@config_cli.command("get")
def get(
    key: KeyArgument,
    environment: EnvironmentOption = None,
    user: UserOption = None,
    attributes: AttributesOption = None,
    data: DataOption = None,
    database_url: DatabaseOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print the value of a key, and nothing else."""
    with refusals_end_the_command(), api(data, database_url, server, token) as asked:
        found = _explained(asked, key, environment, user, attributes)
        if as_json:
            print_json({name: said for name, said in found.items() if name != "layers"})
            return
        value = found["value"]
        out.print(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False), markup=False)


@config_cli.command("explain")
def explain(
    key: KeyArgument,
    environment: EnvironmentOption = None,
    user: UserOption = None,
    attributes: AttributesOption = None,
    data: DataOption = None,
    database_url: DatabaseOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show every layer, highest first: its value, which one won, and why each other did not."""
    with refusals_end_the_command(), api(data, database_url, server, token) as asked:
        found = _explained(asked, key, environment, user, attributes)
        if as_json:
            print_json(found)
            return
        out.print(f"{key} in {found['environment']} is {in_words(found['value'])}", markup=False)
        for one in found["layers"]:
            name = f" {one['name']}" if one["name"] else ""
            sign = "→" if one["won"] else " "
            out.print(f"{sign} {one['layer']}{name}: {in_words(one['value'])}  {one['why']}", markup=False)


@config_cli.command("history")
def history(
    key: KeyArgument,
    environment: EnvironmentOption = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many changes.")] = 20,
    data: DataOption = None,
    database_url: DatabaseOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the changes of a key, newest first, with who made them and why."""
    with refusals_end_the_command(), api(data, database_url, server, token) as asked:
        found = asked.pages(path_of(key, "/history"), limit, environment=environment)
        _show_changes(found, as_json=as_json, key=key)


@config_cli.command("changes")
def changes(
    state: Annotated[
        str | None,
        typer.Option(
            help="waiting_approval, scheduled, applied, rejected, cancelled or failed (default: all).",
            show_default=False,
        ),
    ] = None,
    environment: EnvironmentOption = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many changes.")] = 20,
    data: DataOption = None,
    database_url: DatabaseOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show changes, newest first: those that wait for approval, those to come, those that were made."""
    with refusals_end_the_command(), api(data, database_url, server, token) as asked:
        found = asked.pages("/changes", limit, state=state, environment=environment)
        _show_changes(found, as_json=as_json)


@config_cli.command("diff")
def diff(
    source: Annotated[str, typer.Argument(help="Environment to compare.")],
    target: Annotated[str, typer.Argument(help="Environment to compare it with.")],
    data: DataOption = None,
    database_url: DatabaseOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show values and segment overrides that two environments disagree about."""
    with refusals_end_the_command(), api(data, database_url, server, token) as asked:
        found = asked.get("/diff", from_=source, to=target)["items"]
        if as_json:
            print_json(found)
            return
        for one in found:
            step = {"key": one["key"], "slot": one["slot"], "before": one["from"], "after": one["to"]}
            out.print(step_line(step), markup=False)
        if not found:
            out.print(f"{source} and {target} have the same.", markup=False)


@config_cli.command("stale")
def stale(
    data: DataOption = None,
    database_url: DatabaseOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show flags and parameters that want clearing up, and why."""
    with refusals_end_the_command(), api(data, database_url, server, token) as asked:
        found = asked.get("/stale")["items"]
        if as_json:
            print_json(found)
            return
        for one in found:
            out.print(f"{one['key']}  {one['why']}  {one['detail']}", markup=False)
        if not found:
            out.print("Nothing to clear up.", markup=False)


def _held(one: Any) -> str:
    definition, value = one["definition"], one["value"]
    said = in_words(value["value"]) if value else f"{in_words(definition['default'])} (default)"
    more = len(one["overrides"])
    return f"{said}{f', {more} overrides' if more > 1 else ', 1 override' if more else ''}"


def _explained(asked: Any, key: str, environment: str | None, user: str | None, attributes: str | None) -> Any:
    if attributes is not None:
        try:
            json.loads(attributes)
        except ValueError:
            raise CommandRefused('--attributes: expected a JSON object such as {"country": "NO"}') from None
    return asked.get(path_of(key, "/explain"), environment=environment, user=user, attributes=attributes)


def _show_changes(found: list[Any], *, as_json: bool, key: str | None = None) -> None:
    if as_json:
        print_json(found)
        return
    for change in found:
        when = change["decided_at"] or change["at"] or change["proposed_at"]
        head = f"{when[:19]}Z  {change['id']}  {change['environment']}  {change['state'].replace('_', ' ')}"
        out.print(f"{head}  {change['proposed_by']}: {change['reason']}", markup=False)
        for step in change["steps"]:
            if key is None or step["key"] == key:
                out.print(f"    {step_line(step)}", markup=False)
    if not found:
        out.print("No changes.", markup=False)


cli_config_change.add_to(config_cli)
cli_config_files.add_to(config_cli)
cli_config_docs.add_to(config_cli)
