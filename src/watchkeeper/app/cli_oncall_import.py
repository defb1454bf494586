"""`watchkeeper oncall import`: schedules and policies of other tools become files to look at, or are made at once."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from watchkeeper.app.cli_api import connected
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
    from watchkeeper.modules.oncall.importers.result import Imported

LARGEST = 20_000_000


class Source(StrEnum):
    """Whose export it is."""

    PAGERDUTY = "pagerduty"
    OPSGENIE = "opsgenie"
    GRAFANA_ONCALL = "grafana-oncall"
    GOALERT = "goalert"


def import_export(
    source: Annotated[Source, typer.Argument(help="Whose export it is.")],
    file: Annotated[Path, typer.Argument(help="JSON of its API's answers.", exists=True, dir_okay=False)],
    directory: Annotated[
        Path, typer.Option("--to", help="The ops/ directory to write files into.", file_okay=False)
    ] = Path("ops"),
    apply: Annotated[bool, typer.Option("--apply", help="Make them at once instead of writing files.")] = False,
    data: DataOption = None,
    database_url: DatabaseOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Read schedules, rotations, overrides and policies of another tool, and say what could not be mapped."""
    with refusals_end_the_command():
        found = _read(source, file)
        written = _apply(found, data, database_url, server, token) if apply else _write(found, directory)
        if as_json:
            print_json({"written": written, "people": found.people, "not_mapped": found.not_mapped})
            return
        _show(found, written, directory, applied=apply)


def _read(source: Source, file: Path) -> Imported:
    from watchkeeper.kernel.clock import SystemClock
    from watchkeeper.modules.oncall.wiring import IMPORTERS

    if file.stat().st_size > LARGEST:
        raise CommandRefused(f"{file} is larger than {LARGEST // 1_000_000} MB.")
    try:
        said = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise CommandRefused(f"{file} is no JSON: {error}") from None
    found = IMPORTERS[source.value](said, SystemClock().now())
    if not found.schedules and not found.policies:
        raise CommandRefused(*found.not_mapped, f"{file} has no schedules or policies of {source.value} in it.")
    return found


def _write(found: Imported, directory: Path) -> list[str]:
    from watchkeeper.kernel.ops import OpsInvalid
    from watchkeeper.kernel.ops.directory import write_directory
    from watchkeeper.modules.oncall.wiring import files_of

    files = files_of(found)
    there = sorted(name for name in files if (directory / name).exists())
    if there:
        raise CommandRefused(*(f"{directory / name}: is there already" for name in there), "Nothing was written.")
    try:
        return write_directory(directory, files, replace=False)
    except OpsInvalid as refusal:
        raise CommandRefused(*(f"{one.where}: {one.expected}" for one in refusal.complaints)) from None


def _apply(found: Imported, data: Any, database_url: Any, server: Any, token: Any) -> list[str]:
    from watchkeeper.app.local import result_of

    made = []
    with connected(data, database_url, server, token) as client:
        known: Any = result_of(client.get("/api/v1/people", params={"limit": 200}))
        there = {str(one["email"]).casefold() for one in known["items"] if one["email"]}
        missing = sorted(one for one in found.people if one.casefold() not in there)
        if missing:
            lines = [f"  watchkeeper person invite {one}" for one in missing]
            raise CommandRefused("Nobody has these addresses here; invite them first:", *lines, "Nothing was made.")
        for kind, contents in (("schedules", found.schedules), ("policies", found.policies)):
            for one in contents:
                result_of(client.post(f"/api/v1/oncall/{kind}", json=one.model_dump(mode="json")))
                made.append(f"{kind}/{one.name}")
    return made


def _show(found: Imported, written: list[str], directory: Path, *, applied: bool) -> None:
    for name in written:
        out.print(
            f"{'made ' if applied else 'wrote'} {name if applied else (directory / name).as_posix()}", markup=False
        )
    for line in found.not_mapped:
        err.print(f"not mapped: {line}", markup=False, style="yellow")
    out.print(
        f"{len(found.schedules)} schedules, {len(found.policies)} policies, {len(found.people)} people; "
        f"{len(found.not_mapped)} things were not mapped.",
        markup=False,
    )
    if not applied:
        out.print(
            f"Next: invite who is missing (`watchkeeper person list`), look at the files, "
            f"then `watchkeeper plan {directory.as_posix()}`.",
            markup=False,
        )
