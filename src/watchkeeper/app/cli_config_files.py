"""`watchkeeper config import` and `export`: the registry and its values as one file."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from watchkeeper.app.cli_api import ask
from watchkeeper.app.cli_config_api import ReasonOption, YesOption, api, in_words, show_change
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

FileArgument = Annotated[
    Path, typer.Argument(help="YAML or JSON as `config export` writes it.", exists=True, dir_okay=False)
]


class Format(StrEnum):
    """How a file is written."""

    YAML = "yaml"
    JSON = "json"


def add_to(config_cli: typer.Typer) -> None:
    """Register the commands."""
    config_cli.command("import")(import_file)
    config_cli.command("export")(export)


def import_file(
    file: FileArgument,
    reason: ReasonOption,
    yes: YesOption = False,
    data: DataOption = None,
    database_url: DatabaseOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Define and set what a file says, all or nothing, after showing it; what it does not name stays as it is."""
    if as_json and not yes:
        raise typer.BadParameter("--json can't ask: give --yes too")
    with refusals_end_the_command(), api(data, database_url, server, token) as asked:
        order: dict[str, Any] = {"text": _text(file), "reason": reason}
        found = _import(asked, file, {**order, "dry_run": True})
        changed = [one for one in found["parameters"] if one["action"] != "unchanged"]
        if not as_json:
            for one in changed:
                for line in _lines(one):
                    out.print(line)
        if changed:
            if not yes and not typer.confirm("Make these changes?"):
                raise CommandRefused("Nothing was changed.")
            found = _import(asked, file, {**order, "fingerprint": found["fingerprint"]})
        if as_json:
            print_json(found)
            return
        for change in found["changes"]:
            show_change(change, as_json=False)
        same = len(found["parameters"]) - len(changed)
        out.print(f"Imported: {len(changed)} defined or set, {same} as they were.", markup=False)


def export(
    form: Annotated[Format, typer.Option("--format", help="yaml or json.")] = Format.YAML,
    data: DataOption = None,
    database_url: DatabaseOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
) -> None:
    """Print the registry and what is set for everybody, as `parameters.yaml` has it; an import changes nothing."""
    with refusals_end_the_command():
        text = _exported(data, database_url, server, token)
        if form is Format.YAML:
            out.print(text, markup=False, end="")
            return
        from watchkeeper.kernel.ops import Complaints
        from watchkeeper.kernel.ops.yaml_file import parse
        from watchkeeper.modules.config.ops import FILE

        documents = parse(FILE, text, Complaints())
        print_json(documents[0].value if documents else {"parameters": []})


def _exported(data: Any, database_url: Any, server: Any, token: Any) -> str:
    from watchkeeper.modules.config.ops import FILE

    found = ask("GET", "/ops/export", data, database_url, server, token)
    return str(found["files"].get(FILE, "parameters: []\n"))


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise CommandRefused(f"{file}: expected a file with text in UTF-8") from None


def _import(asked: Any, file: Path, order: Any) -> Any:
    from watchkeeper.modules.config.ops import FILE

    try:
        return asked.post("/import", order)
    except CommandRefused as refused:
        # file:line:column at the start of a line is what editors and terminals make a link of.
        detail, *lines = refused.lines
        placed = [line.strip().replace(f"{FILE}:", f"{file.as_posix()}:", 1) for line in lines]
        raise CommandRefused(*placed, detail) from None


def _lines(one: Any) -> list[Text]:
    sign, colour = ("+", "green") if one["action"] == "create" else ("~", "yellow")
    lines = [Text(f"{sign} {one['key']}", style=colour)]
    for name, (before, after) in one["fields"].items():
        was = "" if one["action"] == "create" else f"{in_words(before)} → "
        lines.append(Text(f"    {name}: {was}{in_words(after)}"))
    return lines
