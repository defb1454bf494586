"""`watchkeeper audit`: the proof of the record, with and without a server."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from watchkeeper.app.cli_api import connected
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

audit_cli = typer.Typer(help="The record of who did what, and its proof.", no_args_is_help=True)
_FILE = re.compile(r"(keys/)?[\w-]+\.(ndjson|pub)")
_README = """# Export of a Watchkeeper journal

    pip install cryptography
    python verifier.py journal.ndjson --checkpoints checkpoints

`journal.ndjson` holds every fact with its hash; `checkpoints/` what was signed meanwhile, the public keys in `keys/`.
Checkpoints that were kept elsewhere (from e-mails, a webhook, a second Watchkeeper) prove more than these.
"""


@audit_cli.command("verify")
def verify(
    checkpoints: Annotated[
        list[Path] | None,
        typer.Option(
            help="Folder of checkpoints with its keys/; best one kept elsewhere. May be repeated. Default: those kept "
            "beside the data.",
            show_default=False,
        ),
    ] = None,
    data: DataOption = None,
    database_url: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check every fact against the chain and the checkpoints, offline: reads the database or a copy, writes nothing.

    Exit code 0: all fits. 1: it names the first fact that is missing, changed or out of place.
    """
    with refusals_end_the_command():
        found = _verify(configuration_of(data=data, database_url=database_url), checkpoints)
        if as_json:
            print_json(found)
        elif found["broken_seq"] is None:
            out.print(_good(found), markup=False)
        else:
            err.print(f"BROKEN at seq {found['broken_seq']}: {found['finding']}", markup=False)
    raise typer.Exit(0 if found["broken_seq"] is None else 1)


@audit_cli.command("export")
def export(
    directory: Annotated[Path, typer.Argument(help="A folder that does not exist yet.")],
    data: DataOption = None,
    database_url: DatabaseOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
) -> None:
    """Write the sealed journal, its checkpoints, the public keys and a verifier that stands alone into a folder."""
    with refusals_end_the_command():
        if directory.exists():
            raise CommandRefused(f"{directory} exists already: an export is not mixed with anything")
        with connected(data, database_url, server, token) as client:
            rows = _export(client, directory)
        out.print(f"{rows:,} facts in {directory}; `python {directory}/verifier.py` verifies them.", markup=False)


@audit_cli.command("status")
def status(
    data: DataOption = None,
    database_url: DatabaseOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say how far the record is sealed, and which checkpoints left the machine."""
    from watchkeeper.app.local import result_of

    with refusals_end_the_command(), connected(data, database_url, server, token) as client:
        found = result_of(client.get("/api/v1/audit/status"))
        if as_json:
            print_json(found)
            return
        out.print(
            f"{found['facts']:,} facts; {found['exposed']:,} in no checkpoint yet. Key {found['key']}.", markup=False
        )
        if not found["outside"]:
            out.print("Checkpoints do not leave this machine's data directory.", markup=False)
        for sink in found["sinks"]:
            state = f"failing: {sink['error']}" if sink["failing_since"] else f"last {sink['delivered_at'] or 'never'}"
            out.print(f"{sink['sink']}: {state}, up to fact {sink['seq'] or 0}", markup=False)


@audit_cli.command("restart-checkpoints")
def restart_checkpoints(
    reason: Annotated[str, typer.Option(help="Why the journal is to be trusted as it is; stays in the record.")],
    data: DataOption = None,
    database_url: DatabaseOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
) -> None:
    """Set aside checkpoints that the journal no longer fits, after a restore or a repair."""
    from watchkeeper.app.local import result_of

    with refusals_end_the_command(), connected(data, database_url, server, token) as client:
        result_of(client.post("/api/v1/audit/restart-checkpoints", json={"reason": reason}))
        out.print("Checkpoints begin anew.", markup=False)


def _verify(configuration: Any, folders: Sequence[Path] | None) -> dict[str, Any]:
    from watchkeeper.kernel.db.database import open_for_reading
    from watchkeeper.kernel.journal.verifier import CheckpointsUnusable, read_checkpoints
    from watchkeeper.kernel.journal.verify import ChainBroken, verify_chain

    server = configuration.server
    if folders is None:
        beside = configuration.audit.folder(server.data)
        folders = [beside] if beside.is_dir() else []
    try:
        known = [one for folder in folders for one in read_checkpoints(folder)]
        with open_for_reading(server.database_url, server.data) as db, db.read() as session:
            found = verify_chain(session, known)
    except ChainBroken as broken:
        return {"facts": broken.seq - 1, "broken_seq": broken.seq, "finding": broken.reason}
    except CheckpointsUnusable as error:
        raise CommandRefused(f"the checkpoints can't be used: {error}") from None
    return {
        "facts": found.rows,
        "hash": found.hash,
        "checkpoints": found.checkpoints,
        "covered": found.covered,
        "covered_at": found.covered_at,
        "exposed": found.exposed,
        "broken_seq": None,
        "finding": None,
    }


def _good(found: dict[str, Any]) -> str:
    if not found["checkpoints"]:
        return f"OK {found['facts']:,} facts, but no checkpoints: a tail that was cut off or sealed anew is not noticed"
    return (
        f"OK {found['facts']:,} facts; {found['checkpoints']:,} checkpoints cover {found['covered']:,} of them, "
        f"the last at {found['covered_at']}; {found['exposed']:,} are newer"
    )


def _export(client: Any, directory: Path) -> int:
    from watchkeeper.app.local import result_of

    files = result_of(client.get("/api/v1/audit/checkpoints"))["files"]
    verifier = client.get("/api/v1/audit/verifier")
    if not verifier.is_success:
        result_of(verifier)
    unfinished = directory.with_name(f"{directory.name}.unfinished")
    unfinished.mkdir(parents=True)
    for name, text in files.items():
        if not _FILE.fullmatch(name):
            raise CommandRefused(f"the server named a file {name!r}, which is no checkpoint's")
        file = unfinished / "checkpoints" / Path(name)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    (unfinished / "verifier.py").write_text(verifier.text, encoding="utf-8")
    (unfinished / "README.md").write_text(_README, encoding="utf-8")
    rows = _download(client, unfinished / "journal.ndjson")
    unfinished.rename(directory)
    return rows


def _download(client: Any, file: Path) -> int:
    from watchkeeper.app.local import result_of

    rows = 0
    with client.stream("GET", "/api/v1/audit/export") as response, file.open("wb") as target:
        if not response.is_success:
            response.read()
            result_of(response)
        for chunk in response.iter_bytes():
            rows += chunk.count(b"\n")
            target.write(chunk)
        target.flush()
        os.fsync(target.fileno())
    return rows
