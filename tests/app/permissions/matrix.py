"""Who gets in where: every route asked by everybody. `python -m tests.app.permissions.matrix` writes the table anew."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.app.permissions.actors import ACTORS, TEAM, Answered, People, knock
from watchkeeper.app.configuration import load_configuration
from watchkeeper.app.server import Watchkeeper
from watchkeeper.kernel.db.upsert import insert_for
from watchkeeper.kernel.ids import new_id
from watchkeeper.kernel.web.access import Permission, stated_routes
from watchkeeper.modules.catalog.tables import services

TABLE = Path(__file__).with_name("matrix.csv")
SERVICE = "duet-gateway"
_JSON = [(b"content-type", b"application/json"), (b"idempotency-key", b"matrix"), (b"if-match", b'"any"')]
_FORM = [(b"content-type", b"application/x-www-form-urlencoded")]
# What stands for a part of a path; anything else gets an id that nobody has.
_PATHS = {"name": SERVICE, "service": SERVICE, "kind": "service"}
# A body that gets far enough to meet the question whose service it is. The rest is refused for its body.
_BODIES: dict[tuple[str, str], object] = {
    ("PATCH", "/api/v1/services/{name}"): {"title": "Door", "reason": "a better name"},
    ("PUT", "/api/v1/services/{name}"): {"title": "Door", "reason": "a better name"},
}


@dataclass(frozen=True)
class Line:
    """One method of one route, and the answer to each actor."""

    method: str
    path: str
    permission: str
    answers: tuple[str, ...]


def asked_routes(watchkeeper: Watchkeeper) -> Iterator[tuple[str, str, str]]:
    """Method, path and permission of every route; of a mount, one request each way."""
    for route in stated_routes(watchkeeper.app):
        stated = route.permission
        name = stated.name if isinstance(stated, Permission) else "public"
        for method in sorted(route.methods - {"HEAD"}) or ["GET", "POST"]:
            yield method, route.path, name


def matrix() -> list[Line]:
    """Every route, asked by everybody, on an empty Watchkeeper with one service of the team `team-edge`."""
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        environ = {"WATCHKEEPER_TELEMETRY_REQUIRE_INTAKE_TOKEN": "always"}
        with Watchkeeper.open(load_configuration(environ, data=data), background=False) as watchkeeper:
            people = People.move_in(watchkeeper)
            return asyncio.run(_ask_all(watchkeeper, people))


async def _ask_all(watchkeeper: Watchkeeper, people: People) -> list[Line]:
    lines = []
    for method, path, permission in asked_routes(watchkeeper):
        answers = [_word(await _ask(watchkeeper, people, actor, method, path), permission) for actor in ACTORS]
        lines.append(Line(method, path, permission, tuple(answers)))
    return sorted(lines, key=lambda line: (line.path, line.method))


async def _ask(watchkeeper: Watchkeeper, people: People, actor: str, method: str, path: str) -> Answered:
    _restore_service(watchkeeper)
    real = re.sub(r"\{(\w+)(:\w+)?\}", lambda part: _PATHS.get(part[1], "nobody"), path)
    headers, body = [(b"accept", b"application/json"), *people.headers(actor)], b""
    if method in ("POST", "PUT", "PATCH", "DELETE"):
        is_page = not path.startswith(("/api/", "/v1/", "/v2/"))
        body = b"" if is_page else json.dumps(_BODIES.get((method, path), {})).encode()
        headers += _FORM if is_page else _JSON
    return await knock(watchkeeper.app, method, real, headers, body)


def _word(answer: Answered, permission: str) -> str:
    """`yes` when the sender was not the trouble, whatever else was."""
    if answer.code == "kernel.not_from_here":
        return "own form"
    if answer.status == 405:
        return "no method"
    if answer.status >= 500:
        return f"error {answer.status}"
    if permission == "public":
        return "yes"
    if answer.code == "identity.prove_again":
        return "prove again"
    return {401: "sign in", 403: "no"}.get(answer.status, "yes")


def _restore_service(watchkeeper: Watchkeeper) -> None:
    """The service as it was: a request before may have archived it or given it away."""
    values = {"owner": TEAM, "managed_by": "people", "archived": False, "title": None}
    now = watchkeeper.clock.now()
    fixed = {"id": new_id("svc"), "name": SERVICE, "links": [], "dependencies": [], "declared_environments": []}
    with watchkeeper.db.begin() as db:
        fresh = insert_for(db, services).values(fixed | values | {"created_at": now, "updated_at": now})
        db.execute(fresh.on_conflict_do_update(index_elements=["name"], set_=values))


def as_table(lines: list[Line]) -> str:
    """The table as it is kept in the repository."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["method", "path", "permission", *ACTORS])
    writer.writerows([line.method, line.path, line.permission, *line.answers] for line in lines)
    return text.getvalue()


if __name__ == "__main__":
    TABLE.write_text(as_table(matrix()), encoding="utf-8")
