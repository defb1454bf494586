"""Objectives on other pages: at home the worst on top, on a service's page all of them."""

from __future__ import annotations

from typing import Annotated

import pytest
from fastapi import Request
from starlette.responses import HTMLResponse, Response

from tests.config.pages.support import Cast, words
from tests.kernel.web.support import PAGE, browser, small_app
from tests.slo.pages.support import break_it
from tests.slo.support import Stage, slo
from watchkeeper.kernel.web.access import Actor, Authenticator, requires
from watchkeeper.kernel.web.wire import page_router
from watchkeeper.modules.catalog.public import Blocks
from watchkeeper.modules.slo import wiring
from watchkeeper.modules.slo.blocks import ObjectiveBlocks
from watchkeeper.modules.slo.permissions import VIEW_SLOS

pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


def block(stage: Stage, path: str, who: str = "bob") -> tuple[str, str]:
    """(HTML, words for the heading) that the blocks of a page are."""
    blocks = Blocks((ObjectiveBlocks(stage.database, stage.clock, stage.engine),))
    router = page_router()

    @router.get("/{service:path}")
    async def page(request: Request, actor: Annotated[Actor, requires(VIEW_SLOS)], service: str) -> Response:
        found = await (blocks.of_service(request, service) if service else blocks.of_home(request))
        urgent = "; ".join(one.urgent for one in found)
        return HTMLResponse("".join(one.html for one in found), headers={"x-urgent": urgent})

    options = {"templates": wiring.TEMPLATES, "static": wiring.STATIC}
    app = small_app(router, parts={Authenticator: Cast()}, **options)
    answer = browser(app, who, headers=PAGE).get(path)
    assert answer.status_code == 200, answer.text
    return answer.text, answer.headers["x-urgent"]


def test_home_has_nothing_of_objectives_that_are_met(stage: Stage) -> None:
    stage.put(slo())
    stage.steady("api")
    stage.run()
    assert block(stage, "/") == ("", "")


def test_what_burns_is_on_top_of_home_with_the_change_before_it_and_its_undo(stage: Stage) -> None:
    change = break_it(stage)
    page, urgent = block(stage, "/")
    assert urgent == "1 objective needs attention"
    said = words(f"<main>{page}")
    assert "burning" in said
    assert "before the alert: WORKERS in production" in said
    assert f'href="/config/changes/{change}#undo"' in page


def test_a_service_shows_its_objectives_or_how_it_gets_one(stage: Stage) -> None:
    change = break_it(stage)
    page, _ = block(stage, "/gateway")
    said = words(f"<main>{page}")
    assert "api burning" in said
    assert "of the budget left" not in said
    assert f"/config/changes/{change}#undo" in page
    empty, urgent = block(stage, "/chat", "dora")
    assert urgent == ""
    assert 'href="/slos/new?service=chat"' in empty
    assert "/slos/new" not in block(stage, "/chat", "bob")[0]


def test_names_in_blocks_are_text(stage: Stage) -> None:
    stage.put(slo("api", display_name="<img src=x>", service="a/<b>", objectives=[{"target": 0.99}]))
    stage.steady("api", good=0)
    stage.run()
    for path in ("/", "/a/<b>"):
        page, _ = block(stage, path)
        assert "<img" not in page
        assert "&lt;img src=x&gt;" in page
