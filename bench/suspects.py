"""Which change is named first when something breaks: 20 faults with decoys around them, told to the real journal.

    python -m bench.suspects [--seed 2026] [--others 10]

Each scenario is written by a script of what broke (the truth), which knows nothing of the ranking: a bad release, a bad
parameter, a dependency that goes down with or without a change of its own, a surge of traffic, and nearby changes that
have no part in it. The changes are real ones (parameters by change sets, versions by discovery, releases as change
events, edits of the catalog), the alerts come in by the front door, and an incident is opened for them. Half of the
incidents know when the errors began; the others only when the alert came.

Scored by the truth alone: the first suspect has to be the change that broke it, and where no change did, none may be
named. The rival is what people do without a ranking: the newest change before the onset is to blame. `--others` repeats
all of it with as many other seeds, so that one seed's luck can be told from the rule.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from bench.suspects_world import CALLS, START, STRANGERS, Act, World
from tests.incidents.story.support import Stage
from watchkeeper.app.server import SCRIPTS
from watchkeeper.kernel.clock import ManualClock
from watchkeeper.kernel.db.database import open_database
from watchkeeper.kernel.db.migrations import Migrations
from watchkeeper.modules.incidents.story.model import Story

GOAL = 18


@dataclass
class Scenario:
    """What is done when, and what broke it. Times are seconds before (negative: after) the errors began."""

    name: str
    service: str
    broken: tuple[str, ...]
    cause: tuple[float, Act] | None
    decoys: list[tuple[float, Act]] = field(default_factory=list)
    told_late: bool = False


@dataclass
class Result:
    """What was named."""

    scenario: Scenario
    truth: int | None
    story: Story

    @property
    def first(self) -> set[int]:
        """Facts of what is named first; none when no change is."""
        return {self.story.suspects[0].fact_seq} if self.story.suspects else set()

    @property
    def newest(self) -> set[int]:
        """The same of the rival: what came last before the onset, edits of words left out."""
        before = [one for one in self.story.changes if one.at <= self.story.onset.at and one.score > 0.03]
        return {max(before, key=lambda one: one.at).fact_seq} if before else set()

    def is_right(self, named: set[int]) -> bool:
        return named == ({self.truth} if self.truth is not None else set())


def scenarios(world: World) -> list[Scenario]:
    """Four of each sort. How long a fault takes to show is drawn from what is usual, not from the ranking's numbers."""
    chance = world.chance
    made = [
        one
        for number in range(4)
        for one in (
            _bad_release(world, number),
            _bad_parameter(world, number),
            _dependency(world, number),
            _surge(world, number),
            _unrelated(world, number),
        )
    ]
    for number, one in enumerate(made):
        one.told_late = number % 2 == 1
        # Whoever answers it turns something, too, and what came after it began is never to blame.
        one.decoys.append((-chance.uniform(300, 600), world.sets(one.service, chance.choice([0.5, 2.0, 4.0]))))
    return made


def _bad_release(world: World, number: int) -> Scenario:
    chance, service = world.chance, world.chance.choice(["web", "api"])
    cause = world.deploys(service, told=number % 2 == 0)
    made = Scenario("bad release", service, (service,), (chance.uniform(30, 720), cause))
    made.decoys = [
        *_noise(world, service),
        (chance.uniform(5, 120), world.sets(service, chance.choice([0.9, 1.1]), keys=chance.choice([1, 2]))),
        (chance.uniform(900, 1_700), world.sets(service, chance.choice([0.5, 2.0]))),
        (chance.uniform(60, 600), world.deploys(chance.choice(CALLS[service]), told=True)),
    ]
    return made


def _bad_parameter(world: World, number: int) -> Scenario:
    chance, service = world.chance, world.chance.choice(["web", "api", "auth"])
    act = world.flips(service) if number == 0 else world.sets(service, chance.choice([0.05, 10.0, 20.0]), keys=number)
    made = Scenario("bad parameter", service, (service,), (chance.uniform(5, 240), act))
    made.decoys = [
        *_noise(world, service),
        (chance.uniform(2, 60), world.sets(service, chance.choice([0.95, 1.05]), keys=3)),
        (chance.uniform(1_200, 1_780), world.deploys(service, told=True)),
        (chance.uniform(2, 120), world.sets(chance.choice(CALLS[service]), chance.choice([0.8, 1.25]))),
    ]
    return made


def _dependency(world: World, number: int) -> Scenario:
    """Down by a change of its own twice, and twice by itself. Its alert comes before or after that of its caller."""
    chance, service = world.chance, world.chance.choice(["web", "api"])
    below = chance.choice(["db", "cache"] if service == "api" else ["api", "auth"])
    own = chance.choice([world.deploys(below, told=True), world.sets(below, 0.05)])
    cause = (chance.uniform(20, 500), own) if number % 2 == 0 else None
    made = Scenario("dependency down", service, (service, below), cause)
    made.decoys = [
        *_noise(world, service),
        (chance.uniform(5, 400), world.sets(service, chance.choice([0.5, 2.0]))),
        (chance.uniform(600, 1_500), world.deploys(service, told=True)),
    ]
    return made


def _surge(world: World, number: int) -> Scenario:
    """More came than it can bear, and nothing that matters was changed; in one of four a release is not long ago."""
    chance, service = world.chance, world.chance.choice(["web", "api", "auth"])
    made = Scenario("traffic surge", service, (service,), None)
    made.decoys = [
        *_noise(world, service),
        (chance.uniform(60, 900), world.sets(service, chance.choice([0.9, 1.1]))),
        (chance.uniform(60, 900), world.sets(service, 0.05, environment="staging")),
    ]
    if number == 3:
        made.decoys.append((chance.uniform(1_500, 1_780), world.deploys(service, told=False)))
    return made


def _unrelated(world: World, number: int) -> Scenario:
    """The fault is minutes old; what came last is a large change somewhere else, or one for a single user."""
    chance, service = world.chance, world.chance.choice(["web", "api"])
    act = world.deploys(service, told=True) if number % 2 else world.sets(service, chance.choice([0.1, 10.0]))
    made = Scenario("unrelated change nearby", service, (service,), (chance.uniform(120, 400), act))
    made.decoys = [
        *_noise(world, service),
        (chance.uniform(1, 60), world.deploys(chance.choice(STRANGERS), told=True)),
        (chance.uniform(1, 60), world.sets(service, 20.0, environment="staging")),
        (chance.uniform(1, 60), world.sets(service, 50.0, slot=f"user:usr_{number}")),
        (chance.uniform(60, 110), world.tries_and_puts_back(service)),
    ]
    return made


def _noise(world: World, service: str) -> list[tuple[float, Act]]:
    """What goes on in any half hour."""
    chance = world.chance
    return [
        (chance.uniform(1, 300), world.edits(service)),
        (chance.uniform(1, 900), world.sets(chance.choice(STRANGERS), chance.choice([0.1, 10.0]))),
        (chance.uniform(1, 900), world.deploys(chance.choice(STRANGERS), told=chance.random() < 0.5)),
    ]


def play(world: World, scenario: Scenario, begins: datetime) -> Result:
    """Do everything at its time, have the alerts come in, and ask for the story."""
    stage, chance = world.stage, world.chance
    truth: dict[str, int | None] = {"seq": None}

    def cause() -> None:
        assert scenario.cause is not None
        truth["seq"] = scenario.cause[1]()

    acts: list[tuple[float, Callable[[], object]]] = list(scenario.decoys)
    if scenario.cause is not None:
        acts.append((scenario.cause[0], cause))
    detected = max(60.0, chance.uniform(60, 240))
    acts += [
        (-detected - chance.uniform(-50, 50) * (name != scenario.service), world.fails(name))
        for name in scenario.broken
    ]
    for before, act in sorted(acts, key=lambda one: -one[0]):
        at = begins - timedelta(seconds=before)
        stage.clock.advance(max(timedelta(microseconds=1), at - stage.clock.now()))
        act()
    onset = None if not scenario.told_late else begins + timedelta(seconds=detected)
    with stage.database.begin() as session:
        made = stage.incidenting.on(session, stage.clock).open(
            f"{scenario.name} {world.number}",
            by="per_olga",
            source="bench",
            services=[scenario.service],
            environment="production",
            started_at=onset or begins,
        )
    return Result(scenario, truth["seq"], stage.story(made))


def run(seed: int) -> list[Result]:
    """Twenty scenarios on a database of their own, a day between two of them."""
    with tempfile.TemporaryDirectory() as folder:
        database = open_database(None, Path(folder))
        try:
            Migrations(SCRIPTS).migrate(database.engine)
            stage = Stage(database, ManualClock(START))
            world = World(stage, random.Random(seed))
            world.build()
            made = scenarios(world)
            return [play(world, one, START + timedelta(days=1 + number)) for number, one in enumerate(made)]
        finally:
            database.close()


def count(results: list[Result]) -> tuple[int, int]:
    """How often the ranking was right, and how often the newest change was."""
    return sum(one.is_right(one.first) for one in results), sum(one.is_right(one.newest) for one in results)


def report(results: list[Result]) -> None:
    print(
        f"{'scenario':<25}{'service':<8}{'onset known':<13}{'changes':>7}  {'named first':<46}{'right':<7}newest first"
    )
    for one in results:
        named = one.story.suspects[0].text if one.story.suspects else "no change is to blame"
        known = "by the alert" if one.scenario.told_late else "yes"
        right, rival = ("yes" if one.is_right(said) else "NO" for said in (one.first, one.newest))
        print(
            f"{one.scenario.name:<25}{one.scenario.service:<8}{known:<13}{len(one.story.changes):>7}  "
            f"{named[:44]:<46}{right:<7}{rival}"
        )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--others", type=int, default=10, help="how many other seeds are tried as well")
    said = parser.parse_args()
    results = run(said.seed)
    report(results)
    right, rival = count(results)
    print(f"\nright: {right} of {len(results)} (goal {GOAL}); newest change first: {rival} of {len(results)}")
    others = [count(run(said.seed + number)) for number in range(1, said.others + 1)]
    if others:
        ours, theirs = [one for one, _ in others], [one for _, one in others]
        total = len(others) * len(results)
        print(
            f"{len(others)} other seeds: {sum(ours)} of {total} right, {min(ours)} to {max(ours)} of 20 each; "
            f"newest change first: {sum(theirs)} of {total}, {min(theirs)} to {max(theirs)}"
        )
    return 0 if right >= GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
