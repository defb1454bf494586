"""`watchkeeper token`: API tokens."""

from __future__ import annotations

import secrets
from typing import Annotated, Any

import typer

from watchkeeper.app.console import (
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

token_cli = typer.Typer(help="API tokens.", no_args_is_help=True)


@token_cli.command("create")
def create(
    name: Annotated[str, typer.Option(help="What will use it, such as duet-gateway.")],
    scope: Annotated[list[str], typer.Option(help="read, respond, write, admin, intake or runner; may be repeated.")],
    expires_at: Annotated[str | None, typer.Option(help="RFC 3339; unset: it does not expire.")] = None,
    data: DataOption = None,
    database_url: DatabaseOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a token and print it on the last line; it is shown this once."""
    order: dict[str, Any] = {"name": name, "scopes": scope}
    if expires_at is not None:
        order["expires_at"] = expires_at
    with refusals_end_the_command():
        # The key makes a retry of the client library harmless.
        headers = {"Idempotency-Key": secrets.token_hex(16)}
        made = _ask("POST", "/api/v1/tokens", data, database_url, server, token, json=order, headers=headers)
        if as_json:
            print_json(made)
            return
        err.print(f"The token {name!r} may: {', '.join(made['scopes'])}. It is shown this once.", markup=False)
        out.print(made["secret"], markup=False)


@token_cli.command("list")
def list_tokens(
    data: DataOption = None,
    database_url: DatabaseOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show all tokens, without their texts."""
    with refusals_end_the_command():
        items: list[Any] = []
        path: str | None = "/api/v1/tokens?limit=200"
        while path is not None:
            page = _ask("GET", path, data, database_url, server, token)
            items += page["items"]
            path = f"/api/v1/tokens?limit=200&cursor={page['next']}" if page["next"] else None
        if as_json:
            print_json(items)
            return
        for one in items:
            state = "revoked" if one["revoked_at"] else f"last used {one['last_used_at'] or 'never'}"
            out.print(f"{one['id']}  {one['name']}  {','.join(one['scopes'])}  {state}", markup=False)


@token_cli.command("revoke")
def revoke(
    token_id: Annotated[str, typer.Argument(help="As `token list` shows it.")],
    data: DataOption = None,
    database_url: DatabaseOption = None,
    server: ServerOption = None,
    token: TokenOption = None,
) -> None:
    """Make a token worthless, on every replica within 5 s."""
    with refusals_end_the_command():
        _ask("DELETE", f"/api/v1/tokens/{token_id}", data, database_url, server, token)
        out.print("Revoked.", markup=False)


def _ask(method: str, path: str, data: Any, database_url: Any, server: Any, token: Any, **request: Any) -> Any:
    from watchkeeper.app.local import Elsewhere, connect, result_of

    elsewhere = Elsewhere(server, token) if server else None
    with connect(configuration_of(data=data, database_url=database_url), elsewhere) as client:
        return result_of(client.request(method, path, **request))
