"""Words to people about an incident that are no page: that its time runs out, that an update is due."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from watchkeeper.kernel.ids import is_id
from watchkeeper.modules.incidents import store
from watchkeeper.modules.incidents.clocks import Mark
from watchkeeper.modules.incidents.desk import Desk
from watchkeeper.modules.incidents.model import Incident, Role, Severity
from watchkeeper.modules.notify import public as notify
from watchkeeper.modules.notify.public import Message, Order
from watchkeeper.modules.oncall import public as oncall

ABOUT = "incident"


def warn(desk: Desk, one: Incident, mark: Mark, base_url: str) -> None:
    """Tell whoever is called first for it that nobody has responded yet."""
    text = f"{mark.share} % of the time to respond to it are over, and nobody has."
    _tell(desk, one, called_first(desk, one), text, mark.key, _urgency(one.severity, mark.share), base_url)


def remind(desk: Desk, one: Incident, mark: Mark, base_url: str) -> None:
    """Tell whoever writes updates that one is due: the communicator, else the commander, else all who work on it."""
    writer = one.roles.get(Role.COMMUNICATOR) or one.roles.get(Role.COMMANDER)
    people = [writer] if writer else [one.person_id for one in store.responders_of(desk.session, [one.id])[one.id]]
    text = "An update is due: say how it is, even if nothing is new."
    _tell(desk, one, people or called_first(desk, one), text, mark.key, "high", base_url)


def suggest(desk: Desk, one: Incident, base_url: str) -> None:
    """Tell the commander, else all who work on it, that no alert of it is open any more."""
    commander = one.roles.get(Role.COMMANDER)
    people = (
        [commander] if commander else [one.person_id for one in store.responders_of(desk.session, [one.id])[one.id]]
    )
    _tell(desk, one, people, "None of its alerts is open any more. Is it over?", f"v{one.version}", "low", base_url)


def called_first(desk: Desk, one: Incident) -> list[str]:
    """Whom the policy calls first for it now, and the last resort where that is nobody; else whoever opened it."""
    steps = oncall.planned(desk.session, desk.now, service=one.service, severity=one.severity.alert)
    people = next((step.people for step in steps if step.people), ())
    return list(people) or [who for who in (one.opened_by,) if is_id(who, "per")]


def step_of(call: str) -> str:
    """The step that a message is about, by its call: the key of a mark, or the version that was told of."""
    return call.split(":", 2)[-1]


def _urgency(severity: Severity, share: int) -> Literal["high", "low"]:
    """A SEV-1 has no minute to lose; what may wait until tomorrow wakes nobody before its time is over."""
    if severity is Severity.SEV1:
        return "high"
    return "high" if severity is Severity.SEV2 and share >= 80 else "low"


def _tell(
    desk: Desk,
    one: Incident,
    people: Iterable[str],
    text: str,
    step: str,
    urgency: Literal["high", "low"],
    base_url: str,
) -> None:
    title = f"{one.severity}: {one.title}"
    for person in dict.fromkeys(people):
        order = Order(
            call=f"incident:{one.id}:{step}:{person}"[:160],
            about_type=ABOUT,
            about_id=one.id,
            urgency=urgency,
            kind="update",
            message=Message(
                title,
                text,
                severity=one.severity.alert,
                service=one.service or "",
                url=f"{base_url}/incidents/{one.id}",
            ),
            service=one.service,
        )
        notify.notify(desk.session, order, person, at=desk.now)
