"""The story of an incident, read from the journal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from watchkeeper.kernel import journal
from watchkeeper.kernel.clock import parse_rfc3339
from watchkeeper.kernel.journal import Effect, Fact, FactFilter, describe_fact, effect_of
from watchkeeper.modules.alerts import public as alerts
from watchkeeper.modules.alerts.public import SILENCE_ALERTS, FactLinks
from watchkeeper.modules.catalog import public as catalog
from watchkeeper.modules.config.public import CHANGE_CONFIG
from watchkeeper.modules.identity import public as identity
from watchkeeper.modules.incidents import store, store_records
from watchkeeper.modules.incidents.groups import is_drill
from watchkeeper.modules.incidents.model import Incident, LinkKind
from watchkeeper.modules.incidents.story.model import Line, Story, Suspect, Undo, UndoKind, by_act, rollback_steps
from watchkeeper.modules.incidents.story.onset import onset_of, own_services
from watchkeeper.modules.runbooks import public as runbooks
from watchkeeper.modules.slo.public import Engine

MOST_LINES = 1_000
AFTERWARDS = timedelta(minutes=30)
_SILENCED, _SILENCE_ENDED = "alerts.silence_made", "alerts.silence_ended"


def story_of(
    session: Session, incident: Incident, links: FactLinks, *, now: datetime, engine: Engine | None = None
) -> Story:
    """All facts of its services and of what they call from half an hour before the errors began, and what may be to
    blame.

    It ends half an hour after the incident was resolved. `links` knows where facts lead and what to call them.
    """
    calls = catalog.calls(session)
    own = own_services(session, incident)
    below = tuple(catalog.reached(own, calls))
    onset = onset_of(session, incident, own, below, engine)
    ground = catalog.ground_of(own, onset.failing, calls)
    since, until = onset.at - catalog.BEFORE_IT_BROKE, _ends(incident, now)
    facts = _facts(session, incident, below, since, until)
    cut = len(facts) > MOST_LINES
    facts = facts[:MOST_LINES]
    found = catalog.changes_of(session, below, since, until)
    ranked = catalog.suspects_among(found, ground, onset.at, environment=incident.environment)
    names = identity.names(session, {one.actor for one in facts} | {one.change.fact.actor for one in ranked})
    undos = _Undos(session, facts, now)
    texts = _texts(session, incident)
    return Story(
        incident=incident,
        onset=onset,
        services=below,
        lines=by_act((_line(one, links, names, undos, texts) for one in facts), _about(session, incident)),
        changes=tuple(_suspect(one, links, names, undos) for one in ranked),
        cut=cut,
        names=names,
        linked=frozenset(one.target for one in store_records.links_of(session, incident.id)),
    )


def _ends(incident: Incident, now: datetime) -> datetime:
    over = incident.resolved_at + AFTERWARDS if incident.resolved_at is not None else now
    return min(over, now) + timedelta(microseconds=1)


def _facts(
    session: Session, incident: Incident, services: Sequence[str], since: datetime, until: datetime
) -> list[Fact]:
    """Of the services, the incident and its alerts, oldest first; one more than are told where there are more."""
    wanted = [FactFilter(subjects=_about(session, incident), since=since, until=until)]
    if services:
        wanted.append(FactFilter(services=tuple(services), since=since, until=until))
    found = {
        fact.seq: fact
        for one in wanted
        for fact in journal.read_facts(session, one, limit=MOST_LINES, newest_first=False)
    }
    facts = [found[seq] for seq in sorted(found)]
    return (facts if incident.drill else _without_drills(session, facts))[: MOST_LINES + 1]


def _about(session: Session, incident: Incident) -> tuple[str, ...]:
    """Ids of the incident and of what belongs to it."""
    linked = store_records.links_of(session, incident.id)
    return (incident.id, *(one.target for one in linked if one.kind is not LinkKind.URL))


def _without_drills(session: Session, facts: Sequence[Fact]) -> list[Fact]:
    """What was only played at the same service is no part of what was real."""
    named = {str(fact.data["incident"]) for fact in facts if fact.data.get("incident")}
    played = {one.id for one in store.by_ids(session, named).values() if one.drill}
    groups = {str(fact.subject_id) for fact in facts if fact.subject_type == "alert_group"}
    played |= {one for one in groups if (group := alerts.group(session, one)) is not None and is_drill(group)}
    return [fact for fact in facts if not played & {fact.subject_id, str(fact.data.get("incident"))}]


def _line(fact: Fact, links: FactLinks, names: Mapping[str, str], undos: _Undos, texts: Mapping[str, str]) -> Line:
    written = texts.get(str(fact.data.get("entry") or fact.data.get("update") or ""))
    text = f"{describe_fact(fact)} {written}" if written else describe_fact(fact)
    is_change = effect_of(fact) in (Effect.BEHAVIOUR, Effect.CODE)
    undo = undos.of_silence(fact) if fact.kind == _SILENCED else None
    return Line(links.mark(fact), fact, text, names.get(fact.actor, fact.actor), links.page(fact), is_change, undo)


def _suspect(one: catalog.Suspect, links: FactLinks, names: Mapping[str, str], undos: _Undos) -> Suspect:
    change = one.change
    mark, change_id = links.mark(change.fact), str(change.fact.data.get("change_id") or "")
    kind = LinkKind.CHANGE if change_id else LinkKind.DEPLOYMENT if change.effect is Effect.CODE else None
    return Suspect(
        mark=mark,
        target=change_id or mark,
        kind=kind,
        fact_seq=change.fact.seq,
        at=change.at,
        text=change.words,
        service=change.service,
        actor_name=names.get(change.fact.actor, change.fact.actor),
        page=links.page(change.fact),
        differences=tuple(change.differences),
        score=one.suspicion.score,
        why=one.suspicion.why,
        is_suspect=one.suspicion.is_suspect,
        undone_at=change.undone_at,
        seen_at=change.seen_at,
        undo=undos.of_change(change),
    )


def _texts(session: Session, incident: Incident) -> dict[str, str]:
    """What people wrote, by the id of the entry or update; facts hold only the id."""
    entries = {one.id: one.text for one in store_records.entries_of(session, incident.id) if one.kind != "system"}
    return entries | {one.id: one.text for one in store_records.updates_of(session, incident.id)}


class _Undos:
    """What can still be undone, looked up once for each service."""

    def __init__(self, session: Session, facts: Sequence[Fact], now: datetime) -> None:
        self._session, self._now = session, now
        self._ended = {fact.subject_id for fact in facts if fact.kind == _SILENCE_ENDED}
        self._runbooks: dict[str, Undo | None] = {}

    def of_change(self, change: catalog.Change) -> Undo | None:
        """None for what was undone already, and for what nothing can undo."""
        if change.undone_at is not None:
            return None
        change_id = change.fact.data.get("change_id")
        if change.effect is Effect.BEHAVIOUR and change_id:
            return Undo(
                UndoKind.REVERT_CHANGE,
                "Undo this change",
                "Everything that this change set is set back to what it was before.",
                str(change_id),
                CHANGE_CONFIG,
                change.undo or f"/config/changes/{change_id}",
            )
        return self._rollback(change.service) if change.effect is Effect.CODE and change.service else None

    def of_silence(self, fact: Fact) -> Undo | None:
        """None for one that is over."""
        if fact.subject_id is None or fact.subject_id in self._ended or not self._goes_on(fact):
            return None
        return Undo(
            UndoKind.END_SILENCE,
            "End this silence",
            "What it keeps quiet and still fires calls people at once.",
            fact.subject_id,
            SILENCE_ALERTS,
            f"/alerts/silences#{fact.subject_id}",
        )

    def _goes_on(self, fact: Fact) -> bool:
        try:
            return parse_rfc3339(str(fact.data.get("ends_at"))) > self._now
        except ValueError:
            return False

    def _rollback(self, service: str) -> Undo | None:
        if service not in self._runbooks:
            self._runbooks[service] = self._rollback_of(runbooks.for_service(self._session, service))
        return self._runbooks[service]

    def _rollback_of(self, found: runbooks.Runbook | None) -> Undo | None:
        steps = rollback_steps(found.content) if found is not None else ()
        if found is None or not steps:
            return None
        titles = [one.title for one in found.steps if one.key in steps]
        return Undo(
            UndoKind.RUN_RUNBOOK,
            "Roll back",
            f"Starts a run of {found.title}: {', '.join(titles)}. Each step still asks for what its file wants.",
            found.name,
            runbooks.RUN_RUNBOOKS,
            f"/runbooks/{found.name}",
            steps,
        )
