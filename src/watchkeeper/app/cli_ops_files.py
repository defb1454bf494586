"""`watchkeeper init` and `watchkeeper export`: the files of an ops/ directory."""

from __future__ import annotations

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
    from watchkeeper.kernel.ops import OpsInvalid
    from watchkeeper.kernel.ops.layout import Arranged

DirectoryArgument = Annotated[
    Path, typer.Argument(help="The ops/ directory; made if it is not there.", file_okay=False)
]
_OPS = Path("ops")


def add_to(cli: typer.Typer) -> None:
    """Register the commands."""
    cli.command("init")(init)
    cli.command("export")(export)


def init(
    directory: DirectoryArgument = _OPS,
    schemas_only: Annotated[
        bool, typer.Option("--schemas-only", help="Only the schemas for editors, in the place of older ones.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Begin an ops/ directory: a README, an example of each kind, schemas for editors. Overwrites no file."""
    with refusals_end_the_command():
        from watchkeeper.app.ops.kinds import KINDS
        from watchkeeper.app.ops.scaffold import scaffold, schema_files

        files = schema_files(KINDS) if schemas_only else scaffold(KINDS, directory.as_posix())
        written = _write(directory, files, replace=schemas_only)
        kept = [name for name in files if name not in written]
        if as_json:
            print_json({"written": written, "kept": kept})
            return
        for name in files:
            said = "wrote" if name in written else "kept "
            out.print(f"{said} {(directory / name).as_posix()}", markup=False, style=None if name in written else "dim")
        if not schemas_only:
            out.print(f"Next: look at the examples, then `watchkeeper plan {directory.as_posix()}`.", markup=False)


def export(
    directory: DirectoryArgument = _OPS,
    data: DataOption = None,
    database_url: DatabaseOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
    force: Annotated[
        bool, typer.Option("--force", help="Also change files that are there and say something else.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Write what was made in the console to files; a plan of them changes nothing. Objects stay in their files."""
    with refusals_end_the_command():
        found = _exported(data, database_url, server, token)
        arranged = _arranged(directory, found["files"])
        differing = sorted([*arranged.changed, *arranged.removed])
        if differing and not force:
            raise CommandRefused(*_differing(directory, arranged))
        written = _carry_out(directory, arranged)
        if as_json:
            print_json(
                {
                    "written": written,
                    "removed": list(arranged.removed),
                    "same": list(arranged.same),
                    "notices": found["notices"],
                }
            )
            return
        _show(directory, arranged, written, found["notices"])


def _exported(data: Path | None, database_url: str | None, server: str | None, token: str | None) -> Any:
    return ask("GET", "/ops/export", data, database_url, server, token)


def _arranged(directory: Path, exported: dict[str, str]) -> Arranged:
    from watchkeeper.app.ops.kinds import KINDS
    from watchkeeper.kernel.ops import OpsInvalid, read_directory
    from watchkeeper.kernel.ops.layout import arrange

    try:
        existing = read_directory(directory) if directory.exists() else {}
        return arrange(existing, exported, KINDS)
    except OpsInvalid as refusal:
        raise _invalid(directory, refusal) from None


def _carry_out(directory: Path, arranged: Arranged) -> list[str]:
    from watchkeeper.app.ops.kinds import KINDS
    from watchkeeper.app.ops.scaffold import schema_files

    written = _write(directory, {**arranged.new, **arranged.changed}, replace=True)
    for name in arranged.removed:
        (directory / name).unlink()
    # The files point at them. Those that are there stay: `init --schemas-only` brings them up to date.
    return [*written, *_write(directory, schema_files(KINDS), replace=False)]


def _write(directory: Path, files: dict[str, str], *, replace: bool) -> list[str]:
    from watchkeeper.kernel.ops import OpsInvalid
    from watchkeeper.kernel.ops.directory import write_directory

    try:
        return write_directory(directory, files, replace=replace)
    except OpsInvalid as refusal:
        raise _invalid(directory, refusal) from None
    except OSError as error:
        raise CommandRefused(f"can't write {error.filename or directory}: {error.strerror}") from error


def _invalid(directory: Path, refusal: OpsInvalid) -> CommandRefused:
    lines = [f"{(directory / one.where).as_posix()}: {one.expected}" for one in refusal.complaints]
    return CommandRefused(*lines, refusal.detail)


def _differing(directory: Path, arranged: Arranged) -> list[str]:
    place = directory.as_posix()
    lines = [f"{(directory / name).as_posix()}: would be changed" for name in arranged.changed]
    lines += [f"{(directory / name).as_posix()}: would be removed" for name in arranged.removed]
    count = "1 file says" if len(lines) == 1 else f"{len(lines)} files say"
    return [
        *sorted(lines),
        f"{count} something else than Watchkeeper; nothing was written. "
        f"See how with `watchkeeper plan {place}`; --force writes Watchkeeper's side.",
    ]


def _show(directory: Path, arranged: Arranged, written: list[str], notices: list[str]) -> None:
    for notice in notices:
        err.print(notice, markup=False, style="dim")
    for name in written:
        out.print(f"wrote   {(directory / name).as_posix()}", markup=False)
    for name in arranged.removed:
        out.print(f"removed {(directory / name).as_posix()}", markup=False)
    count = len(arranged.new) + len(arranged.changed)
    out.print(
        f"Exported: {count} {'file' if count == 1 else 'files'} written, {len(arranged.removed)} removed, "
        f"{len(arranged.same)} as they were.",
        markup=False,
    )
