"""An incident's channel in Slack: made, announced in, told of each update and of the end. A step is a row of due work.

Intent, act, result: the row is there before anything leaves the machine, and what was done is written when Slack has
answered. A death between the two repeats one step; a name that is taken then is the channel that was made before.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy.orm import Session

from watchkeeper.kernel import work
from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.errors import Refusal
from watchkeeper.kernel.outbound import DeliveryFailed
from watchkeeper.kernel.web.formats import duration
from watchkeeper.kernel.work import Task
from watchkeeper.modules.identity import public as identity
from watchkeeper.modules.incidents import store, store_records
from watchkeeper.modules.incidents.desk import MIRROR, SYSTEM, Desk, about_it
from watchkeeper.modules.incidents.events import ChannelOpened
from watchkeeper.modules.incidents.model import Incident, Role, Update
from watchkeeper.modules.incidents.public import Incidenting
from watchkeeper.modules.incidents.settings import IncidentSettings, said_with
from watchkeeper.modules.notify.public import Answering, SlackRefused, SlackWay

CREATE, INVITE, ANNOUNCE = "create", "invite", "announce"
_PAUSE, _MOST_TRIES = timedelta(minutes=2), 300
_MOST_PAGES = 50
_TOLD = "slack:"


@dataclass(frozen=True)
class Step:
    """What is to be done next. `fields`: what Slack's method is asked with."""

    name: str
    method: str
    fields: dict[str, str]


@dataclass(frozen=True)
class Done:
    """What came of a step; `problem`: in a few words, why it did not work."""

    step: Step
    channel: str | None = None
    problem: str | None = None
    final: bool = False


def next_step(
    one: Incident, updates: Sequence[Update], done: Collection[str], settings: IncidentSettings, words: dict[str, str]
) -> Step | None:
    """The first step that is not done: the channel, whom to invite, the announcement, each update, the end."""
    if one.channel is None:
        # One that is over before it had a channel needs none.
        return Step(CREATE, "conversations.create", {"name": one.name}) if one.is_open else None
    members = ",".join(part.strip() for part in settings.slack_invite.split(",") if part.strip())
    if members and INVITE not in done:
        return Step(INVITE, "conversations.invite", {"channel": one.channel, "users": members})
    if ANNOUNCE not in done:
        return _message(one.channel, ANNOUNCE, said_with(settings.slack_announce, words))
    for update in updates:
        if f"update:{update.id}" not in done:
            said = {**words, "text": _plain(update.text), "status": update.status, "severity": update.severity}
            return _message(one.channel, f"update:{update.id}", said_with(settings.slack_update, said))
    end = f"end:{one.reopened}"
    if not one.is_open and end not in done:
        said = {**words, "text": _plain(one.resolved_reason)}
        return _message(one.channel, end, said_with(settings.slack_resolve, said))
    return None


@dataclass(frozen=True)
class Mirror:
    """The handler of the lane that goes to Slack."""

    db: Database
    clock: Clock
    incidenting: Incidenting
    answering: Answering

    def act(self, task: Task) -> Done | None:
        """Ask Slack; None when there is nothing to ask."""
        if "step" not in task.payload:
            return None
        with self.db.read() as session:
            step, way = self._next(session, str(task.payload["incident"])), self._way(session)
        if step is None or step.name != task.payload["step"]:
            return None
        if way is None:
            return Done(step, problem="there is no such channel of the kind slack", final=True)
        try:
            said = way.ask(step.method, step.fields)
        except SlackRefused as refusal:
            return self._refused(way, step, refusal)
        except DeliveryFailed as failure:
            return Done(step, problem=str(failure))
        except Refusal as refusal:
            return Done(step, problem=refusal.title, final=True)
        return Done(step, channel=_id_of(said.get("channel")) if step.name == CREATE else None)

    def finish(self, session: Session, task: Task, result: Done | None) -> None:
        """Write what was done, and order what is next."""
        incident_id = str(task.payload["incident"])
        if result is not None and result.problem is not None:
            self._again(session, task, result)
            return
        if result is not None:
            self._write(session, incident_id, result)
        following = self._next(session, incident_id)
        if following is not None:
            self._order(session, incident_id, following.name, tries=0)

    def _write(self, session: Session, incident_id: str, result: Done) -> None:
        part = self.incidenting
        desk = Desk(session, self.clock, part.settings, part.alerting, SYSTEM, "worker")
        one, mark = desk.load(incident_id), f"{_TOLD}{result.step.name}"
        told = one.told if mark in one.told else (*one.told, mark)
        store.set_mirrored(session, one.id, told, one.channel or result.channel)
        if one.channel is None and result.channel is not None:
            desk.tell(ChannelOpened(**about_it(one), channel=result.channel))

    def _again(self, session: Session, task: Task, result: Done) -> None:
        tries = int(task.payload.get("tries", 0)) + 1
        incident_id, step = str(task.payload["incident"]), result.step.name
        if not result.final and tries < _MOST_TRIES:
            self._order(session, incident_id, step, tries=tries)
            return
        part = self.incidenting
        desk = Desk(session, self.clock, part.settings, part.alerting, SYSTEM, "worker")
        one = desk.load(incident_id)
        desk.note(one, f"Its channel in Slack is not up to date: {result.problem}")
        if step != CREATE:
            # The others go on without it.
            self._write(session, incident_id, result)

    def _order(self, session: Session, incident_id: str, step: str, *, tries: int) -> None:
        key = f"{MIRROR}:{incident_id}:{step}" + (f":{tries}" if tries else "")
        due_at = self.clock.now() + (_PAUSE if tries else timedelta(0))
        payload = {"incident": incident_id, "step": step, "tries": tries}
        work.enqueue(session, kind=MIRROR, key=key, due_at=due_at, payload=payload)

    def _refused(self, way: SlackWay, step: Step, refusal: SlackRefused) -> Done:
        if step.name == CREATE and refusal.word == "name_taken":
            # Names are unique here, so it was made by a try whose answer was lost.
            try:
                found = _find(way, step.fields["name"])
            except DeliveryFailed as failure:
                return Done(step, problem=str(failure))
            return Done(step, channel=found) if found else Done(step, problem="its name is taken", final=True)
        if step.name == INVITE and refusal.word in ("already_in_channel", "cant_invite_self"):
            return Done(step)
        return Done(step, problem=str(refusal), final=refusal.word not in ("ratelimited", "internal_error"))

    def _next(self, session: Session, incident_id: str) -> Step | None:
        one = store.find(session, incident_id)
        if one is None or one.drill:
            return None
        updates = store_records.updates_of(session, one.id)
        words = self._words(session, one)
        return next_step(one, updates, _done(one), self.incidenting.settings, words)

    def _way(self, session: Session) -> SlackWay | None:
        return self.answering.slack_way(session, self.incidenting.settings.slack_channel)

    def _words(self, session: Session, one: Incident) -> dict[str, str]:
        commander = one.roles.get(Role.COMMANDER)
        ended = one.resolved_at or self.clock.now()
        return {
            "name": one.name,
            "title": _plain(one.title),
            "severity": one.severity.value,
            "status": one.status.value,
            "services": _plain(", ".join(one.services)) or "none",
            "impact": _plain(one.impact) or "not known yet",
            "commander": _plain(identity.names(session, [commander])[commander]) if commander else "nobody yet",
            "lasted": duration(ended - one.opened_at),
            "url": f"{self.incidenting.base_url}/incidents/{one.id}",
        }


def _done(one: Incident) -> set[str]:
    """Steps that were done: they are among what was told of it."""
    return {mark.removeprefix(_TOLD) for mark in one.told if mark.startswith(_TOLD)}


def _message(channel: str, name: str, text: str) -> Step:
    fields = {"channel": channel, "text": text[:3_500], "unfurl_links": "false"}
    return Step(name, "chat.postMessage", fields)


def _find(way: SlackWay, name: str) -> str | None:
    cursor = ""
    for _ in range(_MOST_PAGES):
        fields = {"limit": "200", "exclude_archived": "true", **({"cursor": cursor} if cursor else {})}
        said = way.ask("conversations.list", fields)
        for one in said.get("channels") or []:
            if isinstance(one, dict) and one.get("name") == name:
                return _id_of(one)
        cursor = str((said.get("response_metadata") or {}).get("next_cursor") or "")
        if not cursor:
            break
    return None


def _id_of(channel: object) -> str | None:
    found = channel.get("id") if isinstance(channel, dict) else None
    return found if isinstance(found, str) and found.isalnum() and len(found) <= 40 else None


def _plain(text: str) -> str:
    """Slack reads these three as its own: `<!channel>` in a title must not call a channel."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
