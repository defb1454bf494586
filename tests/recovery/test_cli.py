"""`watchkeeper recovery`, as it is typed against a server elsewhere."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from tests.recovery.support import BOOK
from tests.runbooks.serving import Serving, serving
from watchkeeper.app.cli import cli
from watchkeeper.modules.runbooks.model import State

FILES = {
    "services/shop.yaml": "name: shop\nowner: team-shop\n",
    "parameters.yaml": "environments: [{name: production}]\n"
    "parameters: [{key: WORKERS, type: integer, default: 4, service: shop}]\n",
    "recovery/shop.yaml": "name: shop-down\nmatch: {service: shop}\nrunbook: shop\nsteps: [fix]\n",
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with serving(tmp_path_factory.mktemp("recovery")) as opened:
        opened.keep(BOOK.format(value=8, confirm="confirm"))
        files = {**FILES, "runbooks/shop.md": BOOK.format(value=8, confirm="confirm")}
        applied = opened.admin.post("/api/v1/ops/apply", json={"files": files})
        assert applied.status_code == 200, applied.text
        yield opened


def typed(server: Serving, *words: str, scope: str | None = None) -> Result:
    """A command with a token of this scope, or with all rights."""
    token = server.admin.headers["Authorization"].removeprefix("Bearer ")
    if scope is not None:
        made = server.admin.post("/api/v1/tokens", json={"name": scope, "scopes": [scope]})
        token = made.json()["secret"]
    return CliRunner().invoke(cli, ["recovery", *words, "--server", server.url, "--token", token])


def said(server: Serving, *words: str) -> Any:
    found = typed(server, *words, "--json")
    assert found.exit_code == 0, found.output
    return json.loads(found.stdout)


def test_a_rule_from_the_first_look_to_disarmed(server: Serving) -> None:
    assert typed(server, "list").stdout == "shop-down  dry_run  never rehearsed\n"
    shown = typed(server, "show", "shop-down").stdout
    assert "runs fix of shop for {'service': 'shop'}" in shown
    rehearsed = typed(server, "rehearse", "shop-down")
    assert rehearsed.stdout.startswith("shop-down: nothing was carried out; see /runs/run_")
    run = said(server, "rehearse", "shop-down")["run"]
    assert server.run(run)["state"] == State.SUCCEEDED
    armed = typed(server, "arm", "shop-down", "--reason", "it was right three times")
    assert armed.stdout.startswith("shop-down  automatic  rehearsed ")
    assert "(dry run)" in armed.stdout
    shown = typed(server, "show", "shop-down").stdout
    assert "armed by " in shown
    assert said(server, "arm", "shop-down", "--mode", "approval", "--reason", "careful")["mode"] == "approval"
    assert "shop-down  disarmed" in typed(server, "disarm", "shop-down", "--reason", "a sale").stdout
    assert said(server, "reset", "shop-down", "--reason", "looked at it")["breaker_open"] is False
    (one,) = said(server, "list")
    assert (one["name"], one["armed"], one["armed_by"]) == ("shop-down", False, None)


def test_what_is_refused_is_one_line_and_changes_nothing(server: Serving) -> None:
    before = said(server, "list")
    for words, expected in (
        (("show", "nothing"), "There is no recovery rule 'nothing'."),
        (("arm", "shop-down", "--mode", "wild", "--reason", "x"), "mode"),
        (("arm", "shop-down", "--reason", ""), "reason"),
        (("rehearse", "../rules"), "There is nothing at"),
    ):
        refused = typed(server, *words)
        assert refused.exit_code == 1, (words, refused.output)
        assert expected in refused.stderr
    assert typed(server, "arm", "shop-down").exit_code == 2, "a reason is asked for"
    assert said(server, "list") == before


def test_who_may_only_answer_alerts_disarms_and_does_not_arm(server: Serving) -> None:
    assert typed(server, "arm", "shop-down", "--reason", "x", scope="respond").exit_code == 1
    assert typed(server, "list", scope="read").exit_code == 0
    assert typed(server, "disarm", "shop-down", "--reason", "x", scope="read").exit_code == 1
    assert typed(server, "disarm", "shop-down", "--reason", "x", scope="respond").exit_code == 0
