"""What subscribers are told, as a mail and as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from watchkeeper.kernel.clock import rfc3339
from watchkeeper.modules.status import store
from watchkeeper.modules.status.model import Component, Maintenance, PublicIncident, Review, Turn
from watchkeeper.modules.status.subscribers import Subscriber, SubscriberState, Way


@dataclass(frozen=True)
class Links:
    """Where the page is, what it is called, and where this server answers links."""

    title: str
    page: str
    server: str
    support: str = ""

    def confirm(self, token: str) -> str:
        return f"{self.server}/status/confirm/{token}"

    def leave(self, token: str) -> str:
        return f"{self.server}/status/unsubscribe/{token}"


@dataclass(frozen=True)
class Letter:
    """One message: a mail's subject and text, a webhook's JSON, and the address that ends the subscription."""

    subject: str
    text: str
    data: Mapping[str, Any]
    leave: str


def hello(links: Links, one: Subscriber, confirm: str, leave: str, secret: str) -> Letter:
    """To whoever reads the address that somebody typed in: is this wanted?"""
    if one.state is SubscriberState.ACTIVE:
        text = (
            f"Somebody, probably you, asked for news of {links.title} to be sent here. They are already.\n\n"
            f"The status page: {links.page}\nTo get no more: {links.leave(leave)}\n"
        )
        data = {"type": "already_subscribed", "page": _page(links), "unsubscribe": links.leave(leave)}
        return Letter(_line(f"You already get news of {links.title}"), text, data, links.leave(leave))
    text = (
        f"Somebody, probably you, asked for news of {links.title} to be sent here.\n\n"
        f"If you want them, open this address and confirm:\n{links.confirm(confirm)}\n\n"
        "If not, do nothing: nothing more is sent, and the address is forgotten.\n"
    )
    data = {"type": "confirm_subscription", "page": _page(links), "confirm": links.confirm(confirm)}
    if one.kind is Way.WEBHOOK:
        # Told to the address itself, which it is the secret of.
        data["signing_secret"] = secret
    return Letter(_line(f"Confirm: news of {links.title}"), text, data, links.leave(leave))


def news_of_update(session: Session, links: Links, update_id: str, leave: str) -> Letter | None:
    """A published update."""
    update = store.one_update(session, update_id)
    incident = store.incident(session, update.incident) if update is not None else None
    if update is None or incident is None or update.review is not Review.PUBLISHED:
        return None
    names = {one.id: one for one in store.components(session)}
    states = [f"{names[one].title}: {words(state)}" for one, state in update.components.items() if one in names]
    text = "\n\n".join(
        part
        for part in (
            f"{update.stage.value.capitalize()} at {update.happened_at:%Y-%m-%d %H:%M} UTC",
            update.body,
            "\n".join(states),
            _foot(links, leave),
        )
        if part
    )
    shown = {
        "id": update.id,
        "status": update.stage.value,
        "body": update.body,
        "display_at": rfc3339(update.happened_at),
        "affected_components": [
            {"code": one, "name": names[one].title, "new_status": state.value}
            for one, state in update.components.items()
            if one in names
        ],
    }
    data = _of_incident(links, incident, update.stage.value, shown, leave)
    subject = _line(f"[{links.title}] {update.stage.value.capitalize()}: {incident.title}")
    return Letter(subject, text, data, links.leave(leave))


def news_of_withdrawal(session: Session, links: Links, update_id: str, leave: str) -> Letter | None:
    """That an update, and what was public of its incident besides, was taken back."""
    update = store.one_update(session, update_id)
    incident = store.incident(session, update.incident) if update is not None else None
    if update is None or incident is None:
        return None
    whole = incident.published_at is None
    what = "What we told you" if whole else f"Our update of {update.happened_at:%Y-%m-%d %H:%M} UTC"
    said = f'{what} about "{incident.title}" was published by mistake and is withdrawn. Please disregard it.'
    shown = {"id": update.id, "status": "withdrawn", "body": said, "display_at": rfc3339(update.happened_at)}
    status = "withdrawn" if whole or incident.stage is None else incident.stage.value
    data = _of_incident(links, incident, status, shown, leave)
    subject = _line(f"[{links.title}] Withdrawn: {incident.title}")
    return Letter(subject, f"{said}\n\n{_foot(links, leave)}", data, links.leave(leave))


def _word_of(one: Maintenance, turn: Turn | None, now: datetime) -> tuple[str, str] | None:
    """For people and, in Statuspage's words, for programs; None where that is not so any more."""
    if turn is Turn.ENDED:
        return ("Cancelled", "cancelled") if one.is_cancelled else ("Ended early", "completed")
    if turn is Turn.COMPLETED:
        return ("Completed", "completed") if one.ended_early_at is None else None
    if turn is Turn.BEGAN:
        return ("In progress", "in_progress") if now < one.over_at else None
    return ("Maintenance", one.progress(now).value) if not one.is_cancelled else None


def news_of_maintenance(
    session: Session, links: Links, maintenance_id: str, leave: str, *, turn: Turn | None, now: datetime
) -> Letter | None:
    """Planned work: its announcement, or the `turn` that it took since; None where that is not so any more."""
    one = store.maintenance(session, maintenance_id)
    found = _word_of(one, turn, now) if one is not None else None
    if one is None or found is None:
        return None
    word, state = found
    affected = _titles(store.components(session), one.components)
    when = f"{one.starts_at:%Y-%m-%d %H:%M} to {one.ends_at:%Y-%m-%d %H:%M} UTC"
    parts = (
        f"{word}: {when}" if turn else f"Maintenance from {when}",
        one.body if turn is not Turn.COMPLETED else "The work is done as planned.",
        f"Affects: {', '.join(affected)}",
        _foot(links, leave),
    )
    data = {
        "type": "maintenance",
        "meta": {"unsubscribe": links.leave(leave)},
        "page": _page(links),
        "incident": {
            "id": one.id,
            "name": one.title,
            "status": state,
            "body": one.body,
            "scheduled_for": rfc3339(one.starts_at),
            "scheduled_until": rfc3339(one.ends_at),
            "components": affected,
        },
    }
    subject = _line(f"[{links.title}] {word}: {one.title}")
    return Letter(subject, "\n\n".join(part for part in parts if part), data, links.leave(leave))


def words(state: str) -> str:
    """A state as people read it."""
    return str(state).replace("_", " ")


def _of_incident(
    links: Links, incident: PublicIncident, status: str, update: Mapping[str, Any], leave: str
) -> dict[str, Any]:
    return {
        "type": "incident",
        "meta": {"unsubscribe": links.leave(leave)},
        "page": _page(links),
        "incident": {
            "id": incident.id,
            "name": incident.title,
            "status": status,
            "started_at": rfc3339(incident.started_at),
            "incident_updates": [update],
        },
    }


def _titles(known: Sequence[Component], wanted: Sequence[str]) -> list[str]:
    return [one.title for one in known if one.id in wanted]


def _foot(links: Links, leave: str) -> str:
    return f"The status page: {links.page}\nTo get no more of these: {links.leave(leave)}\n"


def _page(links: Links) -> dict[str, str]:
    return {"name": links.title, "url": links.page}


def _line(text: str) -> str:
    """For a header: one line."""
    return " ".join(text.split())[:200]
