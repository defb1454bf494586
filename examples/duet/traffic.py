"""Simulated members. Open loop: they arrive by the clock, whether or not Duet keeps up."""

from __future__ import annotations

import asyncio
import itertools
import logging
import random
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Any

import httpx

from examples.duet.intentions import Intentions, intend, requests_per_visit
from examples.duet.people import Person, population, user_id
from examples.duet.phones import Phone, carry_pushes, look_at_reports
from examples.duet.rhythm import arrivals

_AT_ONCE = 400
_REPORT_EVERY = 10.0
_REMEMBERED = 2000
_log = logging.getLogger("duet.traffic")


@dataclass(frozen=True)
class Load:
    """How many members come, and when. `rate` is in requests a second, the mean of a day."""

    rate: float = 20.0
    seed: int = 7
    acceleration: float = 1.0
    start: float = 0.0
    members: int = 1000


@dataclass
class Tally:
    """What came of the requests; of bounded size however long it counts."""

    outcomes: Counter[str] = field(default_factory=Counter)
    latest: deque[float] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))
    turned_away: int = 0

    def count(self, outcome: str, seconds: float) -> None:
        self.outcomes[outcome] += 1
        self.latest.append(seconds)

    def line(self) -> str:
        """All of it in one line."""
        ordered = sorted(self.latest)
        p95 = ordered[int(len(ordered) * 0.95)] * 1000 if ordered else 0.0
        outcomes = ", ".join(f"{name} {number}" for name, number in sorted(self.outcomes.items()))
        return f"{self.outcomes.total()} requests ({outcomes}), p95 {p95:.0f} ms, turned away {self.turned_away}"


class Gone(Exception):
    """The visit ends here: an answer that it needs did not come."""


class Visit:
    """One member's visit, from signing in to the last message."""

    def __init__(self, client: httpx.AsyncClient, person: Person, plan: Intentions, tally: Tally) -> None:
        self._client = client
        self._person = person
        self._plan = plan
        self._tally = tally
        self._pauses = itertools.cycle(plan.pauses)
        self._token = ""

    async def run(self) -> None:
        try:
            await self._sign_in()
            async with Phone(self._client, self._token).connected(self._plan.tunnel):
                await self._look_around()
                await self._try("POST", "/v1/auth/logout")
        except Gone:
            return
        except (KeyError, TypeError, ValueError):
            self._tally.count("unreadable", 0.0)  # a bad release may answer anything; the day goes on

    async def _look_around(self) -> None:
        other = user_id(self._plan.looks_at)
        await self._ask("GET", f"/v1/profiles/{other}")
        if self._plan.report is not None:
            said = {"about": other, "category": self._plan.report, "text": "Please look at this."}
            await self._try("POST", "/v1/reports", said)
        matches = await self._decide()
        await self._chat(matches or [one["match_id"] for one in (await self._ask("GET", "/v1/matches"))["items"]])

    async def _sign_in(self) -> None:
        if self._plan.wrong_code:
            await self._try("POST", "/v1/auth/login", {"user_id": self._person.user_id, "code": "wrong"})
        answer = await self._ask("POST", "/v1/auth/login", {"user_id": self._person.user_id, "code": self._person.code})
        self._token = answer["token"]

    async def _decide(self) -> list[str]:
        """The matches that this visit made."""
        offers = (await self._ask("GET", "/v1/offers"))["items"]
        made = []
        for offer, accept in zip(offers, self._plan.decisions, strict=False):
            path = f"/v1/offers/{offer['offer_id']}/actions"
            answer = await self._try("POST", path, {"action": "accept" if accept else "decline"})
            if answer and answer["match_id"]:
                made.append(answer["match_id"])
        return made

    async def _chat(self, matches: list[str]) -> None:
        if not matches or not self._plan.messages:
            return
        path = f"/v1/matches/{matches[0]}/messages"
        await self._try("GET", path)
        for text in self._plan.messages:
            await self._try("POST", path, {"text": text})
        await self._try("GET", path)

    async def _ask(self, method: str, path: str, body: object = None) -> Any:
        answer = await self._try(method, path, body)
        if answer is None:
            raise Gone
        return answer

    async def _try(self, method: str, path: str, body: object = None) -> Any:
        """The JSON of a good answer, else None."""
        await asyncio.sleep(next(self._pauses))
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        begun = asyncio.get_running_loop().time()
        try:
            answer = await self._client.request(method, path, json=body, headers=headers)
        except httpx.HTTPError as error:
            self._tally.count(type(error).__name__, asyncio.get_running_loop().time() - begun)
            return None
        self._tally.count(str(answer.status_code), asyncio.get_running_loop().time() - begun)
        return answer.json() if answer.is_success else None


async def drive(gateway: str, load: Load, tally: Tally | None = None) -> None:
    """Send members to the gateway until cancelled; the push network and the staff work meanwhile."""
    tally = tally or Tally()
    people = population(load.members)
    mean = load.rate / requests_per_visit(load.seed, load.members)
    times = arrivals(
        random.Random(f"arrivals {load.seed}"), mean=mean, acceleration=load.acceleration, start=load.start
    )
    limits = httpx.Limits(max_connections=_AT_ONCE, max_keepalive_connections=40)
    async with (
        httpx.AsyncClient(base_url=gateway, limits=limits, timeout=15.0, trust_env=False) as client,
        asyncio.TaskGroup() as visits,
    ):
        visits.create_task(_report(tally))
        visits.create_task(carry_pushes(client))
        visits.create_task(look_at_reports(client, load.seed))
        loop = asyncio.get_running_loop()
        begun, running = loop.time(), set[asyncio.Task[None]]()
        for number, at in enumerate(times):
            await asyncio.sleep(begun + at - loop.time())
            if len(running) >= _AT_ONCE:
                tally.turned_away += 1
                continue
            plan = intend(load.seed, number, load.members)
            visit = visits.create_task(Visit(client, people[plan.member], plan, tally).run())
            running.add(visit)
            visit.add_done_callback(running.discard)


async def _report(tally: Tally) -> None:
    while True:
        await asyncio.sleep(_REPORT_EVERY)
        _log.info("%s", tally.line())
