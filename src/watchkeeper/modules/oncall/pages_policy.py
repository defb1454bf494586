"""Pages of escalation policies: the list, and one with the picture of its path and what is to be known of it."""

# Annotations are kept as objects for FastAPI.
from dataclasses import dataclass
from datetime import datetime, timedelta

from fastapi import Request
from sqlalchemy.orm import Session
from starlette.responses import Response

from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.web.pages import render
from watchkeeper.kernel.web.wire import page_router
from watchkeeper.modules.identity import public as identity
from watchkeeper.modules.oncall import store
from watchkeeper.modules.oncall.checks import Known
from watchkeeper.modules.oncall.escalation import reached
from watchkeeper.modules.oncall.pages import sections
from watchkeeper.modules.oncall.permissions import CHANGE_ONCALL
from watchkeeper.modules.oncall.policy import Policy, Target
from watchkeeper.modules.oncall.routes import Db, NameInPath, Now, Viewer
from watchkeeper.modules.oncall.service import Definitions, advice, known
from watchkeeper.modules.oncall.store import Stored
from watchkeeper.modules.oncall.words import SEVERITIES, Severity, span_of

router = page_router()


@dataclass(frozen=True)
class Box:
    """A step of the picture: when it is due, whom it names, and who that would be now."""

    after: str
    targets: tuple[str, ...]
    people: tuple[str, ...]
    channels: int
    skipped: bool
    late: bool = False


@dataclass(frozen=True)
class Way:
    """The path that alerts of some severities go."""

    severities: tuple[Severity, ...]
    boxes: tuple[Box, ...]
    repeats: int


def ways(policy: Policy, there: Known, at: datetime, names: dict[str, str]) -> list[Way]:
    """Every path, severities of one path together."""
    grouped: dict[tuple[object, ...], list[Severity]] = {}
    for severity in SEVERITIES:
        grouped.setdefault((policy.steps_for(severity), policy.unresolved_for(severity)), []).append(severity)
    return [
        Way(tuple(severities), _boxes(policy, severities[0], there, at, names), policy.repeat)
        for severities in grouped.values()
    ]


def _boxes(policy: Policy, severity: Severity, there: Known, at: datetime, names: dict[str, str]) -> tuple[Box, ...]:
    found, due = [], timedelta(0)
    for step in policy.steps_for(severity):
        box = _box(step.notify, due, there, at, names)
        found.append(box)
        due += span_of(step.wait) if box.people else timedelta(0)
    late = [
        _box(one.notify, span_of(one.after), there, at, names, late=True) for one in policy.unresolved_for(severity)
    ]
    return (*found, *late)


def _box(
    targets: tuple[Target, ...],
    due: timedelta,
    there: Known,
    at: datetime,
    names: dict[str, str],
    *,
    late: bool = False,
) -> Box:
    people, channels, _ = reached(targets, there.rosters, there.staff, at + due)
    called = tuple(names.get(one.person, one.person) if one.person is not None else one.words for one in targets)
    return Box(
        after="at once" if not due else f"after {_length(due)}",
        targets=called,
        people=tuple(names.get(who, who) for who in people),
        channels=len(channels),
        skipped=not people and not channels,
        late=late,
    )


def _length(span: timedelta) -> str:
    minutes = int(span.total_seconds() // 60)
    hours, minutes = divmod(minutes, 60)
    return " ".join(part for part in (f"{hours} h" if hours else "", f"{minutes} min" if minutes else "") if part)


@dataclass(frozen=True)
class About:
    """A policy with what its page shows."""

    stored: Stored[Policy]
    ways: list[Way]
    advice: list[str]


def _about(session: Session, clock: Clock, stored: Stored[Policy]) -> About:
    there = known(session)
    names = identity.names(session, there.staff.people)
    found = ways(stored.content, there, clock.now().replace(microsecond=0), names)
    return About(stored, found, advice(session, stored.content, clock))


@router.get("/oncall/policies")
async def policies(who: Viewer, request: Request, db: Db, clock: Now) -> Response:
    """Every policy, those with something to say first."""

    def read(session: Session) -> list[About]:
        found = [_about(session, clock, one) for one in store.all_of(session, Policy)]
        return sorted(found, key=lambda one: (not one.advice, one.stored.name))

    found = await db.ask(read)
    return render(
        request,
        "oncall/policies.html",
        tabs=sections("Policies"),
        found=found,
        has_default=any(one.stored.content.default for one in found),
        may_change=who.may(CHANGE_ONCALL),
    )


@router.get("/oncall/policies/{name}")
async def policy(who: Viewer, request: Request, name: NameInPath, db: Db, clock: Now) -> Response:
    """One policy."""
    found = await db.ask(lambda session: _about(session, clock, Definitions(session, clock).policy(name)))
    return render(
        request,
        "oncall/policy.html",
        tabs=sections("Policies"),
        found=found,
        policy=found.stored.content,
        may_change=who.may(CHANGE_ONCALL),
    )
