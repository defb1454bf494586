"""What the commands of `watchkeeper config` share: the API, values as people type them, changes in words."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import quote

import typer

from watchkeeper.app.cli_api import connected
from watchkeeper.app.console import CommandRefused, out, print_json

PATH = "/api/v1/config"
KeyArgument = Annotated[str, typer.Argument(help="Key of the parameter or flag.")]
EnvironmentOption = Annotated[
    str | None, typer.Option("--environment", "-e", help="Where (default: the server's default).", show_default=False)
]
ReasonOption = Annotated[str, typer.Option("--reason", "-r", help="Why; kept on the timeline.")]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Don't ask before changing anything.")]
_LONGEST = 100


@dataclass(frozen=True)
class Api:
    """The API of configuration."""

    client: Any

    def get(self, path: str, **parameters: Any) -> Any:
        """An answer; parameters that are None are left out."""
        from watchkeeper.app.local import result_of

        asked = {name.rstrip("_"): value for name, value in parameters.items() if value is not None}
        return result_of(self.client.get(f"{PATH}{path}", params=asked))

    def pages(self, path: str, most: int | None = None, **parameters: Any) -> list[Any]:
        """The items of every page, or so many."""
        items: list[Any] = []
        cursor = None
        while True:
            page = self.get(path, limit=min(most or 200, 200), cursor=cursor, **parameters)
            items += page["items"]
            cursor = page["next"]
            if cursor is None or (most is not None and len(items) >= most):
                return items[:most]

    def post(self, path: str, order: Any) -> Any:
        """What the server made of an order."""
        from watchkeeper.app.local import result_of

        # The key makes a retry of the client library harmless.
        headers = {"Idempotency-Key": secrets.token_hex(16)}
        return result_of(self.client.post(f"{PATH}{path}", json=order, headers=headers))

    def parameter(self, key: str, environment: str | None) -> Any:
        """The registry entry with what is set; its `environment` is the default one where none was given."""
        return self.get(path_of(key), environment=environment)


def path_of(key: str, below: str = "") -> str:
    """Where a parameter is asked for. Raises CommandRefused for what can be no key."""
    from watchkeeper_client.rules import wrong_in_key

    if wrong := wrong_in_key(key):
        raise CommandRefused(f"There is no parameter {key[:150]!r}. {wrong}")
    return f"/parameters/{quote(key, safe='')}{below}"


@contextmanager
def api(data: Any, database_url: Any, server: Any, token: Any) -> Iterator[Api]:
    """The API of the server elsewhere, of the one that runs here, or of one for the length of the command."""
    with connected(data, database_url, server, token) as client:
        yield Api(client)


def slot_of(user: str | None, segment: str | None) -> str:
    """The slot that the options name. Raises CommandRefused."""
    if user is not None and segment is not None:
        raise CommandRefused("either --user or --segment, not both")
    return f"user:{user}" if user is not None else f"segment:{segment}" if segment is not None else "value"


def value_of(definition: Any, slot: str, text: str, priority: int = 0) -> Any:
    """What somebody typed, as a slot of this parameter holds it. Raises CommandRefused."""
    from watchkeeper_client.rules import NotThatType, parse_text

    kind = definition["type"]
    value: Any
    if kind == "flag" and slot == "value" and text.lstrip().startswith("{"):
        try:
            value = json.loads(text)
        except ValueError as wrong:
            raise CommandRefused(f"{definition['key']}: expected the flag's state as JSON, found {wrong}") from None
    else:
        try:
            value = parse_text(kind, text)
        except NotThatType as wrong:
            raise CommandRefused(f"{definition['key']}: expected {wrong}, found {text[:60]!r}") from None
    return {"value": value, "priority": priority} if slot.startswith("segment:") else value


def held_in(parameter: Any, slot: str) -> Any | None:
    """The setting of a slot, if it holds something."""
    found = [parameter["value"], *parameter["overrides"]]
    return next((one for one in found if one is not None and one["slot"] == slot), None)


def in_words(value: Any) -> str:
    """A value of any slot on one line."""
    if value is None:
        return "nothing"
    if isinstance(value, dict) and set(value) == {"value", "priority"}:
        priority = f" (priority {value['priority']})" if value["priority"] else ""
        return f"{in_words(value['value'])}{priority}"
    if isinstance(value, dict) and set(value) in ({"env"}, {"file"}):
        return ":".join(next(iter(value.items())))
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if len(text) <= _LONGEST:
        return text
    return _state_in_words(value) or f"{text[: _LONGEST - 1]}…"


def _state_in_words(value: Any) -> str:
    """What a flag does, where its whole state is too long for a line: cut off, killed would look like alive."""
    from watchkeeper.modules.config.model import state_text

    if not isinstance(value, dict) or not set(value) <= {"enabled", "prerequisites", "rules", "serve"}:
        return ""
    rules = value.get("rules", [])
    if not isinstance(value.get("enabled"), bool) or not all({"when", "serve"} <= set(rule) for rule in rules):
        return ""
    return state_text(value)


def step_line(step: Any) -> str:
    """One slot, before and after."""
    kind, _, target = step["slot"].partition(":")
    whom = f" for the {kind} {target}" if target else ""
    return f"{step['key']}{whom}: {in_words(step['before'])} → {in_words(step['after'])}"


def show_change(change: Any, *, as_json: bool) -> None:
    """What became of a change."""
    if as_json:
        print_json(change)
        return
    for step in change["steps"]:
        out.print(f"{step_line(step)} in {change['environment']}", markup=False)
    said = {
        "applied": "Done.",
        "waiting_approval": f"It waits for somebody else: watchkeeper config approve {change['id']}",
        "scheduled": f"It will be made at {change['at']}.",
    }
    out.print(f"{change['id']}  {said.get(change['state'], change['state'])}", markup=False)
