"""`watchkeeper person`: who may sign in, and as what. For whoever runs the machine, also when nobody can sign in."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import urlsplit

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

person_cli = typer.Typer(help="People who may sign in, and as what.", no_args_is_help=True)

EmailArgument = Annotated[str, typer.Argument(help="The e-mail address that the person signs in with, or their id.")]
ReasonOption = Annotated[str, typer.Option(help="Why; kept in the record.")]
_PATH = "/api/v1/people"


@dataclass(frozen=True)
class _Api:
    """The API, and where people reach the same server."""

    client: Any
    base_url: str | None

    def ask(self, method: str, path: str, **request: Any) -> Any:
        from watchkeeper.app.local import result_of

        if method == "POST":
            # The key makes a retry of the client library harmless.
            request["headers"] = {"Idempotency-Key": secrets.token_hex(16)}
        return result_of(self.client.request(method, path, **request))

    def people(self) -> list[Any]:
        items: list[Any] = []
        cursor: str | None = ""
        while cursor is not None:
            page = self.ask("GET", _PATH, params={"cursor": cursor} if cursor else {})
            items += page["items"]
            cursor = page.get("next")
        return items

    def person(self, who: str) -> Any:
        """Raises CommandRefused when there is nobody with this e-mail or id."""
        wanted = who.strip().casefold()
        for one in self.people():
            if wanted in (one["id"], (one["email"] or "").casefold()):
                return one
        raise CommandRefused(f"nobody has the e-mail or the id {who}: `watchkeeper person list` shows everybody")

    def link(self, made: str) -> str:
        """The link as people can open it; a server that runs for this command only has an address of its own."""
        return made if self.base_url is None else self.base_url.rstrip("/") + urlsplit(made).path


@person_cli.command("list")
def list_people(
    data: DataOption = None,
    database_url: DatabaseOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show everybody with an account."""
    with refusals_end_the_command(), _api(data, database_url, server, token) as api:
        found = api.people()
        if as_json:
            print_json(found)
            return
        for one in found:
            what = ",".join([one["role"], *one["duties"]])
            state = "disabled" if one["disabled_at"] else "enabled"
            out.print(f"{one['id']}  {one['email'] or '-'}  {one['name']}  {what}  {state}", markup=False)


@person_cli.command("invite")
def invite(
    email: Annotated[str, typer.Argument(help="Whom to let in.")],
    reason: ReasonOption,
    role: Annotated[str, typer.Option(help="viewer, responder, operator or admin.")] = "viewer",
    duty: Annotated[list[str] | None, typer.Option(help="safety or privacy; may be repeated.")] = None,
    team: Annotated[list[str] | None, typer.Option(help="Name of a team; may be repeated.")] = None,
    data: DataOption = None,
    database_url: DatabaseOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print a one-time link by which somebody gets an account; it works for 72 hours."""
    order = {"email": email, "role": role, "duties": duty or [], "teams": team or [], "reason": reason}
    with refusals_end_the_command(), _api(data, database_url, server, token) as api:
        made = api.ask("POST", "/api/v1/invitations", json=order)
        _show_link(api, made, f"Give this to {email}; it works once, until {made['expires_at']}.", as_json)


@person_cli.command("reset-link")
def reset_link(
    email: EmailArgument,
    reason: ReasonOption,
    data: DataOption = None,
    database_url: DatabaseOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print a one-time link that sets a new password; it works for 24 hours and ends all their sessions."""
    with refusals_end_the_command(), _api(data, database_url, server, token) as api:
        person = api.person(email)
        made = api.ask("POST", f"{_PATH}/{person['id']}/reset-link", json={"reason": reason})
        _show_link(api, made, f"Give this to {person['name']}; it works once, for 24 hours.", as_json)


@person_cli.command("role")
def give_role(
    email: EmailArgument,
    role: Annotated[str, typer.Argument(help="viewer, responder, operator or admin.")],
    reason: ReasonOption,
    duty: Annotated[
        list[str] | None,
        typer.Option(help="safety or privacy; may be repeated. Unset: the duties stay.", show_default=False),
    ] = None,
    no_duties: Annotated[bool, typer.Option("--no-duties", help="Take all duties away.")] = False,
    data: DataOption = None,
    database_url: DatabaseOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
) -> None:
    """Give somebody another role, and duties."""
    order: dict[str, Any] = {"role": role, "reason": reason}
    if duty or no_duties:
        order["duties"] = [] if no_duties else duty
    with refusals_end_the_command(), _api(data, database_url, server, token) as api:
        if duty and no_duties:
            raise CommandRefused("either --duty or --no-duties")
        person = api.ask("PATCH", f"{_PATH}/{api.person(email)['id']}", json=order)
        out.print(f"{person['name']} is {', '.join([person['role'], *person['duties']])}.", markup=False)


@person_cli.command("disable")
def disable(
    email: EmailArgument,
    reason: ReasonOption,
    revoke_tokens: Annotated[
        bool, typer.Option("--revoke-tokens", help="Also revoke every token that they made, of service accounts too.")
    ] = False,
    data: DataOption = None,
    database_url: DatabaseOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
) -> None:
    """End every session of somebody and let them in no more. Tokens that they made go on, unless you say otherwise."""
    with refusals_end_the_command(), _api(data, database_url, server, token) as api:
        person = _switch(api, email, disabled=True, revoke_tokens=revoke_tokens, reason=reason)
        tokens = "are revoked" if revoke_tokens else "go on working"
        out.print(f"{person['name']} is disabled; tokens that they made {tokens}.", markup=False)


@person_cli.command("enable")
def enable(
    email: EmailArgument,
    reason: ReasonOption,
    data: DataOption = None,
    database_url: DatabaseOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
) -> None:
    """Let a disabled person sign in again."""
    with refusals_end_the_command(), _api(data, database_url, server, token) as api:
        out.print(f"{_switch(api, email, disabled=False, reason=reason)['name']} may sign in again.", markup=False)


def _switch(api: _Api, email: str, **order: Any) -> Any:
    return api.ask("PATCH", f"{_PATH}/{api.person(email)['id']}", json=order)


def _show_link(api: _Api, made: Any, words: str, as_json: bool) -> None:
    link = api.link(made["link"])
    if as_json:
        print_json(made | {"link": link})
        return
    err.print(words, markup=False)
    out.print(link, markup=False)


@contextmanager
def _api(data: Any, database_url: Any, server: Any, token: Any) -> Iterator[_Api]:
    from watchkeeper.app.local import Elsewhere, connect
    from watchkeeper.kernel.db.lock import read_running

    configuration = configuration_of(data=data, database_url=database_url)
    elsewhere = Elsewhere(server, token) if server else None
    here, base_url = configuration.server, None
    if elsewhere is None and here.base_url is None and read_running(here.data) is None:
        base_url = f"http://127.0.0.1:{here.port}"  # where `up` will be
    with connect(configuration, elsewhere) as client:
        yield _Api(client, base_url)
