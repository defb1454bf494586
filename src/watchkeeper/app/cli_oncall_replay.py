"""`watchkeeper oncall replay`: a draft policy tried on the alerts of the past."""

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
    out,
    print_json,
    refusals_end_the_command,
)

if TYPE_CHECKING:
    from watchkeeper.modules.oncall.policy import Policy

_OUTCOMES = {
    "unanswered": "UNANSWERED",
    "nobody": "NOBODY",
    "resolved": "ended by itself",
    "acknowledged": "acknowledged",
}


def replay(
    file: Annotated[Path, typer.Argument(help="A policy, or a file of ops/oncall/.", exists=True, dir_okay=False)],
    policy: Annotated[str | None, typer.Option("--policy", help="Which of the file's policies.")] = None,
    since: Annotated[str | None, typer.Option("--since", help="An instant (default: 30 days before the end).")] = None,
    until: Annotated[str | None, typer.Option("--until", help="An instant (default: now).")] = None,
    every: Annotated[
        bool, typer.Option("--every", help="On every alert group, not only those that would go by it.")
    ] = False,
    data: DataOption = None,
    database_url: DatabaseOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say who would have been paged when, had a policy been in force; nothing is saved, and nobody is called."""
    with refusals_end_the_command():
        order = {"policy": _read(file, policy).model_dump(mode="json"), "every": every}
        order |= {name: value for name, value in (("since", since), ("until", until)) if value is not None}
        found = ask("POST", "/oncall/policies/replay", data, database_url, server, token, json=order)
        if as_json:
            print_json(found)
            return
        for group in found["groups"]:
            _show_group(group)
        _show_sums(found)


def _read(file: Path, name: str | None) -> Policy:
    """The policy of this name, or the only one."""
    from watchkeeper.app.ops.kinds import KINDS
    from watchkeeper.kernel.ops import Complaints, OpsInvalid, yaml_file
    from watchkeeper.kernel.ops.directory import read_file
    from watchkeeper.kernel.ops.documents import check
    from watchkeeper.kernel.ops.listed import family_of, split
    from watchkeeper.modules.oncall.policy import Policy

    family = family_of(next(kind for kind in KINDS if kind.model is Policy), KINDS)
    complaints = Complaints()
    found = []
    try:
        for document in yaml_file.parse(file.as_posix(), read_file(file), complaints):
            alone = not isinstance(document.value, dict) or "name" in document.value or "steps" in document.value
            split_up = [] if alone else split(document, family, complaints)
            parts = [document] if alone else [part for kind, part in split_up if kind.model is Policy]
            found += [one.value for part in parts if (one := check(part, Policy, complaints)) is not None]
        complaints.refuse_if_any()
    except OpsInvalid as refusal:
        raise CommandRefused(*(f"{one.where}: {one.expected}" for one in refusal.complaints)) from None
    chosen = [one for one in found if name in (None, one.name)]
    if len(chosen) == 1:
        return chosen[0]
    names = ", ".join(one.name for one in found) or "none"
    raise CommandRefused(f"{file}: one policy was expected, by --policy NAME where there are several; found {names}.")


def _show_group(group: Any) -> None:
    where = f" ({group['service']})" if group["service"] else ""
    out.print(
        f"{group['opened_at']}  {group['severity']}  {group['title']}{where}: {_OUTCOMES[group['outcome']]}",
        markup=False,
    )
    for call in group["calls"]:
        people = [one["name"] if one["reached"] else f"{one['name']} (no contact)" for one in call["people"]]
        kind = {"step": f"step {call['step']}", "unresolved": "not resolved", "last_resort": "last resort"}[
            call["kind"]
        ]
        out.print(f"    {call['at']}  {kind}: {', '.join([*people, *call['channels']])}", markup=False)
    answered = group["answered"]
    if answered:
        who = answered["by"]["name"] if answered["by"] else "somebody"
        other = ", who would not have been called by then" if group["answered_by_somebody_else"] else ""
        out.print(f"    {answered['at']}  acknowledged by {who}{other}", markup=False)
    elif group["outcome"] == "nobody" and group["quiet"]:
        out.print(f"    {group['quiet']}", markup=False)
    sent = [one["person"]["name"] for one in group["sent"]]
    out.print(f"    really sent: {', '.join(sent) or 'nothing'}", markup=False)


def _show_sums(found: Any) -> None:
    for one in found["people"]:
        out.print(
            f"{one['person']['name']}: {one['pages']} pages, {one['at_night']} at night ({one['time_zone']}); "
            f"really {one['sent']}, {one['sent_at_night']} at night",
            markup=False,
        )
    outcomes = [f"{found['outcomes'][key]} {said}" for key, said in _OUTCOMES.items() if found["outcomes"].get(key)]
    out.print(
        f"{len(found['groups'])} alert groups from {found['since']} to {found['until']}: "
        f"{', '.join(outcomes) or 'none that go by it'}; {found['pages']} pages, really {found['sent']}.",
        markup=False,
    )
    if found["elsewhere"]:
        out.print(f"{found['elsewhere']} more go by another policy (--every tries it on them, too).", markup=False)
    if found["left_out"]:
        out.print("More than 1,000 groups opened: the newest were looked at.", markup=False)
