"""`watchkeeper backup` and `watchkeeper restore`."""

from __future__ import annotations

import secrets
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

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

if TYPE_CHECKING:
    from watchkeeper.app.backup.locks import Keys
    from watchkeeper.app.backup.model import Drilled
    from watchkeeper.app.backup.restore import Restored

PassphraseOption = Annotated[
    Path | None,
    typer.Option(
        "--passphrase-file",
        help="File with the passphrase; otherwise WATCHKEEPER_BACKUP_PASSPHRASE_FILE.",
        show_default=False,
    ),
]
_POLL_SECONDS = 0.3


def add_to(cli: typer.Typer) -> None:
    """Register the commands."""
    cli.command()(backup)
    cli.command()(restore)


def backup(
    target: Annotated[
        str | None,
        typer.Argument(help="Directory or s3://bucket/prefix (default: backup.target).", show_default=False),
    ] = None,
    passphrase_file: PassphraseOption = None,
    ask_passphrase: Annotated[bool, typer.Option("--ask-passphrase", help="Ask for the passphrase here.")] = False,
    data: DataOption = None,
    database_url: DatabaseOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Back everything up into one encrypted file, while the server runs, and verify it."""
    with refusals_end_the_command():
        from watchkeeper.app.local import Elsewhere, connect, result_of

        order: dict[str, Any] = {}
        if target is not None:
            order["target"] = target if target.startswith("s3://") else str(Path(target).absolute())
        configuration = configuration_of(data=data, database_url=database_url)
        if passphrase_file is None and not ask_passphrase and server is None:
            passphrase_file = configuration.backup.passphrase_file
        if passphrase_file is not None or ask_passphrase:
            order["passphrase"] = _stretched(_passphrase(passphrase_file, twice=True))
        elsewhere = Elsewhere(server, token) if server else None
        with connect(configuration, elsewhere) as client:
            headers = {"Idempotency-Key": secrets.token_hex(16)}
            state = result_of(client.post("/api/v1/backups", json=order, headers=headers))
            while state["state"] == "running":
                time.sleep(_POLL_SECONDS)
                state = result_of(client.get(f"/api/v1/backups/{state['id']}"))
        if state["state"] == "failed":
            raise CommandRefused(f"The backup failed: {state['reason'].rstrip('.')}. Nothing was kept of it.")
        if as_json:
            print_json(state)
            return
        size = f"{state['bytes'] / 1e6:.1f} MB"
        out.print(f"{state['name']}: {size}, {state['journal_seq']} facts, written and verified.", markup=False)
        if state["locked_by"] == "installation":
            err.print("It opens with the installation's key only: keep a copy of that key elsewhere.", markup=False)


def restore(
    source: Annotated[
        str, typer.Argument(help="A backup, or a directory or s3://bucket/prefix whose newest backup is meant.")
    ],
    check: Annotated[
        bool, typer.Option("--check", help="Drill: restore to a temporary place, verify, record the result.")
    ] = False,
    passphrase_file: PassphraseOption = None,
    key_file: Annotated[
        Path | None,
        typer.Option("--key-file", help="The installation's key, for a backup without passphrase.", show_default=False),
    ] = None,
    data: DataOption = None,
    database_url: DatabaseOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bring a backup back into an empty data directory (and an empty database), or drill doing so."""
    with refusals_end_the_command():
        configuration = configuration_of(data=data, database_url=database_url, key_file=key_file)
        keys = _keys(configuration, passphrase_file)
        if check:
            drilled = _drill(source, configuration, keys)
            _record(drilled, configuration, server, token)
            _show_drill(drilled, as_json)
            return
        _show(_restore(source, configuration, keys), as_json)


def _restore(source: str, configuration: Any, keys: Keys) -> Restored:
    from watchkeeper.app.backup.format import Container
    from watchkeeper.app.backup.restore import Destination, restore
    from watchkeeper.app.backup.targets import find
    from watchkeeper.kernel.clock import SystemClock

    place, name = find(source, configuration.backup)
    container = Container.open(place.open(name), keys.open)
    server = configuration.server
    to = Destination(server.data, server.database_url, configuration.telemetry.directory)
    return restore(container, to, SystemClock(), key=keys.installation)


def _drill(source: str, configuration: Any, keys: Keys) -> Drilled:
    from watchkeeper.app.backup.drill import drill
    from watchkeeper.app.backup.targets import find
    from watchkeeper.kernel.clock import SystemClock

    place, name = find(source, configuration.backup)
    url = configuration.server.database_url
    return drill(name, place.open(name), keys.open, SystemClock(), database_url=url)


def _record(drilled: Drilled, configuration: Any, server: str | None, token: str | None) -> None:
    """Write the result into the journal of the Watchkeeper that is here, or that --server names, if there is one."""
    from watchkeeper.app.backup.targets import is_name
    from watchkeeper.app.local import Elsewhere, connect, result_of
    from watchkeeper.kernel.db.database import DATABASE_FILE

    settings = configuration.server
    if not is_name(drilled.name):
        err.print(f"Not recorded: {drilled.name} is not the name that a backup was given.", markup=False)
        return
    if server is None and settings.database_url is None and not (settings.data / DATABASE_FILE).exists():
        err.print(f"Not recorded: there is no Watchkeeper at {settings.data}; --data or --server names one.")
        return
    result = {
        "backup_id": drilled.backup_id or "unknown",
        "name": drilled.name,
        "seconds": drilled.seconds,
        "bytes": drilled.size,
        "journal_seq": drilled.journal_seq,
        "finding": drilled.finding,
    }
    with connect(configuration, Elsewhere(server, token) if server else None) as client:
        headers = {"Idempotency-Key": secrets.token_hex(16)}
        result_of(client.post("/api/v1/backups/drills", json=result, headers=headers))


def _show(restored: Restored, as_json: bool) -> None:
    about = restored.about
    if as_json:
        print_json({**vars(about), "parts": restored.parts, "bytes": restored.size, "broken": restored.broken})
        return
    size = f"{restored.size / 1e6:.1f} MB"
    out.print(f"Restored the backup of {about.taken_at}: {restored.parts} parts, {size}.", markup=False)
    out.print(f"Journal head: {about.journal_seq} {about.journal_hash}", markup=False)
    if restored.broken is not None:
        err.print(f"The journal does not verify: {restored.broken}. It did not when the backup was made.", markup=False)
    else:
        out.print("The journal verifies.", markup=False)
    if about.missing:
        err.print(f"{about.missing} files of telemetry are not in it: they lay with another server.", markup=False)
    if about.engine == "postgresql" and restored.key_file is not None:
        err.print(f"Set WATCHKEEPER_KEY_FILE to {restored.key_file} on every server.", markup=False)


def _show_drill(drilled: Drilled, as_json: bool) -> None:
    if as_json:
        print_json({**vars(drilled), "ok": drilled.ok})
    elif drilled.ok:
        facts = f"{drilled.journal_seq} facts, the journal verifies"
        out.print(f"{drilled.name} was restored to a temporary place in {drilled.seconds} s: {facts}.", markup=False)
    if not drilled.ok:
        raise CommandRefused(f"The drill of {drilled.name} failed: {drilled.finding}.")


def _keys(configuration: Any, passphrase_file: Path | None) -> Keys:
    """What is at hand to open a backup with."""
    from watchkeeper.app.backup.locks import Keys
    from watchkeeper.kernel.keys import KEY_FILE, read_key_file

    server = configuration.server
    file = server.key_file or server.data / KEY_FILE
    key = read_key_file(file) if server.key_file is not None or file.exists() else None
    return Keys(key, lambda: _passphrase(passphrase_file or configuration.backup.passphrase_file))


def _passphrase(file: Path | None, *, twice: bool = False) -> str:
    if file is not None:
        from watchkeeper.app.backup.locks import passphrase_in

        return passphrase_in(file)
    if not sys.stdin.isatty():
        raise CommandRefused("A passphrase is needed: name its file with --passphrase-file.")
    found: str = typer.prompt("Passphrase", hide_input=True, confirmation_prompt=twice, err=True)
    return found


def _stretched(passphrase: str) -> dict[str, str]:
    from watchkeeper.app.backup.locks import lock_by_passphrase

    lock = lock_by_passphrase(passphrase)
    return {"salt": lock.public["salt"], "key": lock.key.hex()}
