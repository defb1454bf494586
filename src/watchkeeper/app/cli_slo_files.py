"""`watchkeeper slo validate` and `slo rules`: files of objectives, without a server."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from pathlib import Path
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
    err,
    out,
    print_json,
    refusals_end_the_command,
)

if TYPE_CHECKING:
    from watchkeeper.modules.slo.files.openslo import Bundle

_KINDS = (".yaml", ".yml")


class Format(StrEnum):
    """Who reads the rules."""

    PROMETHEUS = "prometheus"


FilesArgument = Annotated[
    list[Path], typer.Argument(help="Files, or directories such as ops/slos.", exists=True, show_default=False)
]


def add_to(slo_cli: typer.Typer) -> None:
    """Register the commands."""
    slo_cli.command("validate")(validate)
    slo_cli.command("rules")(rules)


def validate(
    files: FilesArgument,
    strict: Annotated[bool, typer.Option("--strict", help="Exit 1 also where there are warnings.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Check files of objectives, as OpenSLO or Sloth has them: every mistake with its place. Needs no server."""
    with refusals_end_the_command():
        bundle, complaints, count = _read(files)
        warnings = [] if bundle is None else [{"where": str(at), "said": text} for at, text in bundle.warnings()]
        if as_json:
            mistakes = [{"where": one.where, "expected": one.expected.removeprefix("expected ")} for one in complaints]
            print_json({"valid": bundle is not None, "mistakes": mistakes, "warnings": warnings})
        else:
            # file:line:column at the start of a line is what editors and terminals make a link of.
            for one in complaints:
                err.print(f"{one.where}: {one.expected}", markup=False)
            for warning in warnings:
                err.print(f"{warning['where']}: warning: {warning['said']}", markup=False, style="yellow")
            out.print(_summary(bundle, count, len(complaints), len(warnings)), markup=False)
    if complaints or (strict and warnings):
        raise typer.Exit(1)


def rules(
    files: Annotated[
        list[Path] | None,
        typer.Argument(help="Files or directories; none: what the server has.", exists=True, show_default=False),
    ] = None,
    form: Annotated[Format, typer.Option("--format", help="Who reads them.")] = Format.PROMETHEUS,
    service: Annotated[str | None, typer.Option(help="Only SLOs of this service.", show_default=False)] = None,
    service_label: Annotated[str, typer.Option(help="Label that names a service in metrics of requests.")] = "job",
    scrape_seconds: Annotated[int, typer.Option(min=1, max=300, help="How often those metrics are scraped.")] = 15,
    data: DataOption = None,
    database_url: DatabaseOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print recording and alerting rules that fire when ours do. With files it needs no server."""
    with refusals_end_the_command():
        if files:
            found = _rules_of(files, service, service_label, scrape_seconds)
        else:
            found = _rules_of_server(
                data, database_url, server, token,
                format=form.value, service=service, service_label=service_label, scrape_seconds=scrape_seconds,
            )  # fmt: skip
        if as_json:
            print_json(found)
            return
        for note in found["notes"]:
            err.print(note, markup=False, style="yellow")
        out.print(found["text"], markup=False, end="")


def _rules_of(paths: list[Path], service: str | None, service_label: str, scrape_seconds: int) -> Any:
    import re

    from watchkeeper.modules.slo.promrules.events import LABEL, Setting
    from watchkeeper.modules.slo.promrules.text import rules_text

    if not re.fullmatch(LABEL, service_label):
        raise CommandRefused(f"--service-label: expected the name of a label, found {service_label[:60]!r}")
    bundle, complaints, _ = _read(paths)
    if bundle is None:
        raise CommandRefused(*(f"{one.where}: {one.expected}" for one in complaints), "There are no rules for these.")
    setting = Setting(
        {one.name: one for one in bundle.data_sources},
        {one.name: one for one in bundle.definitions},
        service_label,
        timedelta(seconds=scrape_seconds),
    )
    chosen = [one for one in bundle.definitions if service is None or one.service == service]
    text, notes = rules_text(chosen, setting)
    return {"text": text, "notes": list(notes)}


def _rules_of_server(data: Any, database_url: Any, server: Any, token: Any, **asked: Any) -> Any:
    parameters = {name: value for name, value in asked.items() if value is not None}
    return ask("GET", "/slo/rules", data, database_url, server, token, params=parameters)


def _read(paths: list[Path]) -> tuple[Bundle | None, list[Any], int]:
    """What the files say, or what is wrong with them; and how many there are."""
    from watchkeeper.kernel.ops import OpsInvalid
    from watchkeeper.modules.slo.files.openslo import read_texts

    try:
        texts = _texts(paths)
        return read_texts(texts), [], len(texts)
    except OpsInvalid as refusal:
        return None, list(refusal.complaints), 0


def _texts(paths: list[Path]) -> dict[str, str]:
    """Path as it was typed, to text."""
    from watchkeeper.kernel.ops.directory import read_directory, read_file

    found: dict[str, str] = {}
    for path in paths:
        if path.is_dir():
            texts = read_directory(path)
            found |= {(path / name).as_posix(): text for name, text in texts.items() if name.endswith(_KINDS)}
        else:
            found[path.as_posix()] = read_file(path)
    if not found:
        raise CommandRefused(f"there are no files of objectives in {', '.join(map(str, paths))}")
    return found


def _summary(bundle: Bundle | None, files: int, mistakes: int, warnings: int) -> str:
    if bundle is None:
        return f"Not valid: {mistakes} {'mistake' if mistakes == 1 else 'mistakes'}."
    slos = len(bundle.definitions)
    said = f"{slos} {'SLO' if slos == 1 else 'SLOs'} in {files} {'file' if files == 1 else 'files'}"
    return f"Valid: {said}, {warnings} {'warning' if warnings == 1 else 'warnings'}."
