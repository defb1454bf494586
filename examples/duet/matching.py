"""The matching service: offers members to each other, and notices when two said yes."""

from __future__ import annotations

import asyncio
import itertools
import logging
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from opentelemetry import metrics
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from examples.duet import daily
from examples.duet.daily import DailyOffers
from examples.duet.days import DAY_SECONDS, hour_of
from examples.duet.people import QUESTIONS, REGIONS, Person, population
from examples.duet.releases import Release, load
from examples.duet.service import Place, body_of, healthy, member_of, refused
from examples.duet.storage import Store
from examples.duet.values import Values
from examples.duet.wishes import Wish

_SCHEMA = """
CREATE TABLE IF NOT EXISTS members (user_id TEXT PRIMARY KEY, region TEXT NOT NULL, age INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS members_region ON members (region);
CREATE TABLE IF NOT EXISTS answers (user_id TEXT, question INTEGER, choice INTEGER,
                                    PRIMARY KEY (user_id, question)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS offers (offer_id TEXT NOT NULL UNIQUE, user_id TEXT NOT NULL, candidate_id TEXT NOT NULL,
                                   status TEXT NOT NULL, presented_at REAL NOT NULL,
                                   PRIMARY KEY (user_id, candidate_id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS matches (match_id TEXT PRIMARY KEY, one TEXT NOT NULL, other TEXT NOT NULL, at REAL);
CREATE INDEX IF NOT EXISTS matches_one ON matches (one, at);
CREATE INDEX IF NOT EXISTS matches_other ON matches (other, at);
"""
_PRESENT = """
INSERT INTO offers VALUES (:offer, :me, :candidate, 'presented', :now)
ON CONFLICT (user_id, candidate_id) DO UPDATE SET status = 'presented', presented_at = :now
"""
_LATEST = """
SELECT match_id, one, other FROM (SELECT * FROM matches WHERE one = :me UNION SELECT * FROM matches WHERE other = :me)
ORDER BY at DESC LIMIT :most
"""
_log = logging.getLogger("duet.matching")


def make_app(place: Place) -> Starlette:
    """The matching service as an application."""
    store = Store(place.data / "matching.sqlite", _SCHEMA + daily.SCHEMA, threads=6)
    matching = Matching(store, load(place.release), place.values)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        await matching.move_in(place.members)
        making = asyncio.create_task(matching.keep_making_daily_offers(place.day_seconds))
        yield
        making.cancel()
        with suppress(asyncio.CancelledError):
            await making
        place.values.close()
        matching.store.close()

    routes = [
        Route("/v1/offers", matching.offers),
        Route("/v1/offers/{offer_id}/actions", matching.act, methods=["POST"]),
        Route("/v1/matches", matching.matches),
        Route("/v1/matches/{match_id}", matching.match),
        Route("/healthz", healthy),
    ]
    return Starlette(routes=routes, lifespan=lifespan, exception_handlers={HTTPException: refused})


class Matching:
    """The verbs of matching."""

    def __init__(self, store: Store, release: Release, values: Values) -> None:
        self.store = store
        self._values = values
        self._people: dict[str, Person] = {}
        self._release = release
        meter = metrics.get_meter("duet.matching")
        self._presented = meter.create_counter("duet.offers.presented", "{offer}", "Offers shown to members")
        self._decided = meter.create_counter("duet.offers.decided", "{offer}", "Offers accepted or declined")
        self._mutual = meter.create_counter("duet.matches.mutual", "{match}", "Pairs who both said yes")
        self._accepted = meter.create_counter(
            "duet.offers.mutual", "{offer}", "Offers that were accepted on both sides: two of each pair"
        )

    async def move_in(self, count: int) -> None:
        """Put the population into the database, unless it is there."""
        people = population(count)
        self._people = {person.user_id: person for person in people}
        members = [(p.user_id, p.region, p.age) for p in people]
        answers = [(p.user_id, question, choice) for p in people for question, choice in enumerate(p.answers)]

        liked = [(f"{one}-{two}", one, two) for one, two in _fond_of(people)]
        met = [(_match_id(one, two), one, two) for one, two in _old_friends(people)]

        def fill(cursor: sqlite3.Cursor) -> None:
            cursor.executemany("INSERT OR IGNORE INTO members VALUES (?, ?, ?)", members)
            cursor.executemany("INSERT OR IGNORE INTO answers VALUES (?, ?, ?)", answers)
            cursor.executemany("INSERT OR IGNORE INTO matches VALUES (?, ?, ?, 0)", met)
            cursor.executemany("INSERT OR IGNORE INTO offers VALUES (?, ?, ?, 'accepted', 0)", liked)

        await self.store.write(fill)

    async def offers(self, request: Request) -> JSONResponse:
        """GET /v1/offers"""
        me, now = member_of(request), time.time()
        wish = self._wish(me, now)
        since = now - DAY_SECONDS
        chosen = await self.store.read(
            lambda cursor: daily.ready(cursor, me, wish, since) or self._release.choose(cursor, me, wish)
        )
        if not chosen:
            _log.warning("nobody is left to offer", extra={"user": me})
        offers: list[dict[str, Any]] = [{"offer_id": f"{me}-{other}", "user_id": other} for other, _ in chosen]
        if self._value("ENABLE_AI_MATCH_REASONS", me):
            for offer, (_, shared) in zip(offers, chosen, strict=True):
                offer["reason"] = f"You answered {shared} of {QUESTIONS} questions alike."
        rows = [{"offer": o["offer_id"], "me": me, "candidate": o["user_id"], "now": now} for o in offers]
        await self.store.write(lambda cursor: _present(cursor, me, rows))
        self._presented.add(len(offers))
        _log.info("offers presented", extra={"user": me, "count": len(offers)})
        return JSONResponse({"items": offers})

    async def keep_making_daily_offers(self, day_seconds: float | None) -> None:
        """Every morning of every region, for ever; never without days."""
        if day_seconds is not None:
            people = list(self._people.values())
            from_hour = lambda: hour_of(self._values("MATCH_BATCH_TIME"))  # noqa: E731 (asked each time: it may change)
            await DailyOffers(
                self.store, people, self._release.choose, self._wish, from_hour, day_seconds
            ).keep_making()

    def _value(self, key: str, member: str) -> Any:
        """A parameter for this member, as one of their region, age and plan."""
        person = self._people.get(member)
        if person is None:
            return self._values(key, member)
        return self._values(key, member, country=person.region, age=person.age, plan=person.plan)

    def _wish(self, me: str, now: float) -> Wish:
        person = self._people.get(me)
        plan = "PREMIUM" if person is not None and person.plan == "premium" else "DEFAULT"
        return Wish(
            count=self._value(f"MATCHES_PER_DAY_{plan}", me),
            again=now - self._value("MATCH_OFFER_COOLDOWN_DAYS", me) * DAY_SECONDS,
            everywhere=not self._value("GEO_PRIORITY_LOCAL", me),
            younger=self._value("AGE_RANGE_DEFAULT_MIN", me),
            older=self._value("AGE_RANGE_DEFAULT_MAX", me),
            least_shared=max(0, -(-(self._value("COMPATIBILITY_MIN_SCORE", me) - 50) // 2)),
        )

    async def act(self, request: Request) -> JSONResponse:
        """POST /v1/offers/{offer_id}/actions"""
        me = member_of(request)
        action = (await body_of(request, action=str))["action"]
        if action not in ("accept", "decline"):
            raise HTTPException(422, "action: expected accept or decline")
        offer = request.path_params["offer_id"]
        status = "accepted" if action == "accept" else "declined"
        found, match = await self.store.write(lambda cursor: _decide(cursor, me, offer, status))
        if not found:
            raise HTTPException(404, "no such offer")
        self._decided.add(1, {"duet.action": action})
        if match is not None:
            self._mutual.add(1)
            self._accepted.add(2)
            _log.info("a match", extra={"user": me, "match": match})
        return JSONResponse({"status": status, "match_id": match})

    async def matches(self, request: Request) -> JSONResponse:
        """GET /v1/matches"""
        me = member_of(request)
        asked = {"me": me, "most": self._value("MAX_ACTIVE_MATCHES_LIVE", me)}
        rows = await self.store.read(lambda cursor: _all(cursor, _LATEST, asked))
        return JSONResponse(
            {"items": [{"match_id": row[0], "with": row[2] if row[1] == me else row[1]} for row in rows]}
        )

    async def match(self, request: Request) -> JSONResponse:
        """GET /v1/matches/{match_id}"""
        query = "SELECT match_id, one, other FROM matches WHERE match_id = :match"
        rows = await self.store.read(lambda cursor: _all(cursor, query, {"match": request.path_params["match_id"]}))
        if not rows:
            raise HTTPException(404, "no such match")
        return JSONResponse({"match_id": rows[0][0], "members": list(rows[0][1:])})


def _present(cursor: sqlite3.Cursor, me: str, rows: list[dict[str, Any]]) -> None:
    cursor.executemany(_PRESENT, rows)
    daily.shown(cursor, me)


def _old_friends(people: list[Person]) -> list[tuple[str, str]]:
    """Pairs who matched before Duet was started, so that there is somebody to write to from the first visit on."""
    pairs = []
    for region in REGIONS:
        neighbours = [person.user_id for person in people if person.region == region]
        pairs += itertools.pairwise(neighbours)
    return pairs


def _fond_of(people: list[Person]) -> list[tuple[str, str]]:
    """Who said yes to whom before Duet was started: each to the next two of their region and about their age."""
    found = []
    for region in REGIONS:
        by_age = sorted((p for p in people if p.region == region), key=lambda p: (p.age, p.user_id))
        for step in (1, 2):
            found += [(one.user_id, two.user_id) for one, two in zip(by_age, by_age[step:], strict=False)]
    return found


def _match_id(one: str, two: str) -> str:
    return f"mat_{one.removeprefix('usr_')}_{two.removeprefix('usr_')}"


def _decide(cursor: sqlite3.Cursor, me: str, offer: str, status: str) -> tuple[bool, str | None]:
    """Whether the offer exists, and the match that the decision made, if any."""
    found = _all(
        cursor, "SELECT candidate_id FROM offers WHERE offer_id = :o AND user_id = :me", {"o": offer, "me": me}
    )
    if not found:
        return False, None
    cursor.execute("UPDATE offers SET status = ? WHERE offer_id = ?", (status, offer))
    other = found[0][0]
    query = "SELECT 1 FROM offers WHERE user_id = :other AND candidate_id = :me AND status = 'accepted'"
    if status != "accepted" or not _all(cursor, query, {"other": other, "me": me}):
        return True, None
    one, two = sorted((me, other))
    match = _match_id(one, two)
    cursor.execute("INSERT OR IGNORE INTO matches VALUES (?, ?, ?, ?)", (match, one, two, time.time()))
    return True, match


def _all(cursor: sqlite3.Cursor, query: str, values: dict[str, Any]) -> list[Any]:
    cursor.execute(query, values)
    return cursor.fetchall()
