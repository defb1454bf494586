"""`watchkeeper config set`, `override`, `kill`, `approve` and the like: every change says why."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from watchkeeper.app.cli_config_api import (
    Api,
    EnvironmentOption,
    KeyArgument,
    ReasonOption,
    YesOption,
    api,
    held_in,
    show_change,
    slot_of,
    step_line,
    value_of,
)
from watchkeeper.app.console import (
    CommandRefused,
    DatabaseOption,
    DataOption,
    JsonOption,
    ServerOption,
    TokenOption,
    out,
    refusals_end_the_command,
)

ValueArgument = Annotated[
    str,
    typer.Argument(
        help="By its type: 5, 1.5, true, 1h30m, 09:00, text, JSON, env:NAME of a secret, a variant or the state of a "
        "flag as JSON."
    ),
]
AtOption = Annotated[
    str | None, typer.Option(help="When, such as 2026-11-30T09:00:00Z (default: at once).", show_default=False)
]
OfUserOption = Annotated[
    str | None, typer.Option("--user", help="Only for this user of the product.", show_default=False)
]
OfSegmentOption = Annotated[str | None, typer.Option("--segment", help="Only for this segment.", show_default=False)]
PriorityOption = Annotated[int, typer.Option(help="Of a segment's override; the highest is asked first.")]
IfVersionOption = Annotated[
    int | None,
    typer.Option(
        min=0,
        help="Only if the slot still has this version (`list --json` shows it); 0: only if nothing is set.",
        show_default=False,
    ),
]
ChangeArgument = Annotated[str, typer.Argument(help="As `config changes` or `config history` shows it.")]
# A value may begin with a dash, as -5 does.
_DASHES: dict[str, Any] = {"context_settings": {"ignore_unknown_options": True}}


def add_to(config_cli: typer.Typer) -> None:
    """Register the commands."""
    config_cli.command("set", **_DASHES)(set_value)
    config_cli.command("override", **_DASHES)(override)
    for name, command in (
        ("unset", unset),
        ("kill", kill),
        ("revert", revert),
        ("promote", promote),
        ("approve", approve),
        ("reject", reject),
        ("cancel", cancel),
    ):
        config_cli.command(name)(command)


def set_value(
    key: KeyArgument,
    value: ValueArgument,
    reason: ReasonOption,
    environment: EnvironmentOption = None,
    at: AtOption = None,
    user: OfUserOption = None,
    segment: OfSegmentOption = None,
    priority: PriorityOption = 0,
    if_version: IfVersionOption = None,
    data: DataOption = None,
    database_url: DatabaseOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Set a key for everybody, or for one user or segment: at once, at a time, or when somebody else approves."""
    with refusals_end_the_command(), api(data, database_url, server, token) as asked:
        slot = slot_of(user, segment)
        change = _set(asked, key, value, slot, environment, reason, priority=priority, at=at, if_version=if_version)
        show_change(change, as_json=as_json)


def override(
    key: KeyArgument,
    value: ValueArgument,
    reason: ReasonOption,
    user: OfUserOption = None,
    segment: OfSegmentOption = None,
    priority: PriorityOption = 0,
    environment: EnvironmentOption = None,
    at: AtOption = None,
    data: DataOption = None,
    database_url: DatabaseOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Set a key for one user or one segment only."""
    with refusals_end_the_command():
        slot = slot_of(user, segment)
        if slot == "value":
            raise CommandRefused("whose? --user or --segment; `config set` is for everybody")
        with api(data, database_url, server, token) as asked:
            change = _set(asked, key, value, slot, environment, reason, priority=priority, at=at)
            show_change(change, as_json=as_json)


def unset(
    key: KeyArgument,
    reason: ReasonOption,
    environment: EnvironmentOption = None,
    at: AtOption = None,
    user: OfUserOption = None,
    segment: OfSegmentOption = None,
    if_version: IfVersionOption = None,
    data: DataOption = None,
    database_url: DatabaseOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take away what is set for everybody, or for one user or segment; the layers below decide then."""
    with refusals_end_the_command(), api(data, database_url, server, token) as asked:
        change = _set(asked, key, None, slot_of(user, segment), environment, reason, at=at, if_version=if_version)
        show_change(change, as_json=as_json)


def kill(
    key: KeyArgument,
    reason: ReasonOption,
    environment: EnvironmentOption = None,
    undo: Annotated[bool, typer.Option("--undo", help="Let the flag's rules decide again.")] = False,
    data: DataOption = None,
    database_url: DatabaseOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Switch a flag off for everybody at once, waiting for nobody's approval; its rules are kept."""
    with refusals_end_the_command(), api(data, database_url, server, token) as asked:
        found = asked.parameter(key, environment)
        if found["definition"]["type"] != "flag":
            raise CommandRefused(f"{key} is a parameter of type {found['definition']['type']}; only a flag is killed")
        setting = held_in(found, "value")
        state = dict(setting["value"] if setting is not None else {}) | {"enabled": undo}
        show_change(_propose(asked, found, "value", state, reason, setting=setting), as_json=as_json)


def revert(
    change_id: ChangeArgument,
    reason: ReasonOption,
    data: DataOption = None,
    database_url: DatabaseOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Undo a change, if what it set still holds and fits today's bounds; a change to come is cancelled."""
    with refusals_end_the_command(), api(data, database_url, server, token) as asked:
        show_change(asked.post(f"/changes/{change_id}/revert", {"reason": reason}), as_json=as_json)


def promote(
    source: Annotated[str, typer.Argument(help="Environment that has the values.")],
    target: Annotated[str, typer.Argument(help="Environment that gets them.")],
    reason: ReasonOption,
    key: Annotated[
        list[str] | None, typer.Option(help="Only this key; may be repeated (default: all that differ).")
    ] = None,
    yes: YesOption = False,
    data: DataOption = None,
    database_url: DatabaseOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give one environment the values and segment overrides of another, as one change, after showing them."""
    if as_json and not yes:
        raise typer.BadParameter("--json can't ask: give --yes too")
    with refusals_end_the_command(), api(data, database_url, server, token) as asked:
        differing = asked.get("/diff", from_=target, to=source)["items"]
        wanted = [one for one in differing if not key or one["key"] in key]
        if not yes:
            for one in wanted:
                step = {"key": one["key"], "slot": one["slot"], "before": one["from"], "after": one["to"]}
                out.print(step_line(step), markup=False)
            if wanted and not typer.confirm(f"Change {target} so?"):
                raise CommandRefused("Nothing was changed.")
        # What is done is what was looked at: slots that came to differ meanwhile are not among these keys.
        keys = key or sorted({one["key"] for one in wanted}) or None
        order = {"from": source, "to": target, "keys": keys, "reason": reason}
        show_change(asked.post("/promote", order), as_json=as_json)


def approve(
    change_id: ChangeArgument,
    content_hash: Annotated[
        str | None,
        typer.Option("--hash", help="Of the content that was looked at; then nothing is asked.", show_default=False),
    ] = None,
    data: DataOption = None,
    database_url: DatabaseOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let a change be made that somebody else proposed, after showing what it does."""
    if as_json and content_hash is None:
        raise typer.BadParameter("--json can't ask: give --hash too")
    with refusals_end_the_command(), api(data, database_url, server, token) as asked:
        if content_hash is None:
            found = asked.get(f"/changes/{change_id}")
            out.print(f"{found['proposed_by']} in {found['environment']}: {found['reason']}", markup=False)
            for step in found["steps"]:
                out.print(f"    {step_line(step)}", markup=False)
            if not typer.confirm("Approve?"):
                raise CommandRefused("Nothing was approved.")
            content_hash = found["content_hash"]
        show_change(asked.post(f"/changes/{change_id}/approve", {"content_hash": content_hash}), as_json=as_json)


def reject(
    change_id: ChangeArgument,
    reason: ReasonOption,
    data: DataOption = None,
    database_url: DatabaseOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say no to a change that waits for approval."""
    with refusals_end_the_command(), api(data, database_url, server, token) as asked:
        show_change(asked.post(f"/changes/{change_id}/reject", {"reason": reason}), as_json=as_json)


def cancel(
    change_id: ChangeArgument,
    reason: ReasonOption,
    data: DataOption = None,
    database_url: DatabaseOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take back a change that waits for approval or for its time."""
    with refusals_end_the_command(), api(data, database_url, server, token) as asked:
        show_change(asked.post(f"/changes/{change_id}/cancel", {"reason": reason}), as_json=as_json)


def _set(
    asked: Api,
    key: str,
    text: str | None,
    slot: str,
    environment: str | None,
    reason: str,
    *,
    priority: int = 0,
    at: str | None = None,
    if_version: int | None = None,
) -> Any:
    """`text` None empties the slot."""
    found = asked.parameter(key, environment)
    value = None if text is None else value_of(found["definition"], slot, text, priority)
    setting = held_in(found, slot)
    if text is None and setting is None:
        raise CommandRefused(f"{key}: nothing is set there in {found['environment']}; nothing was changed")
    return _propose(asked, found, slot, value, reason, setting=setting, at=at, if_version=if_version)


def _propose(
    asked: Api,
    found: Any,
    slot: str,
    value: Any,
    reason: str,
    *,
    setting: Any,
    at: str | None = None,
    if_version: int | None = None,
) -> Any:
    # Without --if-version it is what was read a moment ago: nobody's change is overwritten unseen.
    version = if_version if if_version is not None else (setting["version"] if setting is not None else 0)
    operation = {"key": found["definition"]["key"], "slot": slot, "value": value, "expected_version": version}
    order = {"environment": found["environment"], "reason": reason, "operations": [operation], "at": at}
    return asked.post("/changes", order)
