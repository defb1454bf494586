"""Objectives on the home page and on a service's page."""

from __future__ import annotations

from starlette.requests import Request

from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.web.access import known_actor
from watchkeeper.kernel.web.pages import render_fragment
from watchkeeper.modules.catalog.public import Block
from watchkeeper.modules.slo import reading
from watchkeeper.modules.slo.engine import Engine
from watchkeeper.modules.slo.pages_board import board
from watchkeeper.modules.slo.pages_words import Row
from watchkeeper.modules.slo.permissions import CHANGE_SLOS, VIEW_SLOS

_MOST_AT_HOME, _MOST_OF_SERVICE = 5, 20


class ObjectiveBlocks:
    """What needs attention at home; every objective of a service on its page."""

    def __init__(self, db: Database, clock: Clock, engine: Engine) -> None:
        self._db, self._clock, self._engine = db, clock, engine

    async def of_home(self, request: Request) -> Block | None:
        """Only what needs attention, with what was changed just before."""
        actor = known_actor(request)
        if actor is None or not actor.may(VIEW_SLOS):
            return None
        found = await self._db.ask(
            lambda session: board(session, self._engine, reading.all_figures(session, self._engine, self._clock.now()))
        )
        if not found.cards:
            return None
        many = found.attention != 1
        words = f"{found.attention} objective{'s need' if many else ' needs'} attention"
        html = render_fragment(
            request, "slo/block_home.html", cards=found.cards[:_MOST_AT_HOME], attention=found.attention, words=words
        )
        return Block(html, words)

    async def of_service(self, request: Request, service: str) -> Block | None:
        """Its objectives, or how it gets its first one."""
        actor = known_actor(request)
        if actor is None or not actor.may(VIEW_SLOS):
            return None
        figures, found = await self._db.ask(
            lambda session: (
                figures := reading.all_figures(session, self._engine, self._clock.now(), service=service),
                board(session, self._engine, figures),
            )
        )
        html = render_fragment(
            request,
            "slo/block_service.html",
            service=service,
            rows=[Row.of(one) for one in figures[:_MOST_OF_SERVICE]],
            more=max(0, len(figures) - _MOST_OF_SERVICE),
            suspects=next((one.suspects for one in found.cards if one.suspects), ()),
            may_change=actor.may(CHANGE_SLOS),
        )
        return Block(html)
