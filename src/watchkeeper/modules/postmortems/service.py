"""The verbs of postmortems."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from watchkeeper.kernel import journal, work
from watchkeeper.kernel.clock import Clock, rfc3339
from watchkeeper.kernel.errors import Complaint, PreconditionFailed
from watchkeeper.kernel.ids import new_id
from watchkeeper.kernel.journal import Event
from watchkeeper.modules.identity import public as identity
from watchkeeper.modules.postmortems import drafting, store
from watchkeeper.modules.postmortems.drafting import Story
from watchkeeper.modules.postmortems.errors import (
    MomentNotFound,
    PostmortemInvalid,
    PostmortemNotFound,
    PostmortemNotNeeded,
    StateRefused,
)
from watchkeeper.modules.postmortems.events import (
    AboutChanged,
    PostmortemDrafted,
    PostmortemRefreshed,
    PostmortemReviewed,
    SectionEdited,
    StateChanged,
    TimelineEdited,
)
from watchkeeper.modules.postmortems.model import (
    LONGEST_SECTION,
    MOST_MOMENTS,
    MOST_THEMES,
    NEXT,
    Moment,
    MomentKind,
    Need,
    Postmortem,
    Review,
    Section,
    SectionText,
    State,
    after_edit,
    need_of,
    theme_of,
)
from watchkeeper.modules.postmortems.settings import PostmortemSettings

BY = "system:postmortems"
DUE = "postmortems.due"
_LONGEST_MOMENT = 2_000
# Instants at the very ends of the calendar are in no time zone at all.
_OLDEST_YEAR, _NEWEST_YEAR = 1990, 9_000


@dataclass(frozen=True)
class Postmortems:
    """Postmortems, on one session."""

    session: Session
    clock: Clock
    settings: PostmortemSettings

    def get(self, postmortem_id: str, *, lock: bool = False) -> Postmortem:
        """Raises PostmortemNotFound."""
        found = store.by_id(self.session, postmortem_id, lock=lock)
        if found is None:
            raise PostmortemNotFound(f"There is no postmortem {postmortem_id[:60]!r}.")
        return found

    def of_incident(self, incident: str) -> Postmortem:
        """Raises PostmortemNotFound."""
        found = store.of_incident(self.session, incident)
        if found is None:
            raise PostmortemNotFound(f"The incident {incident[:60]!r} has no postmortem.")
        return found

    def draft(self, story: Story, *, by: str, source: str) -> Postmortem:
        """The postmortem of an incident: made, or read again from the record where there is one already.

        What people have edited stays; sections that nobody touched are written anew, and new lines join the timeline.
        Raises PostmortemNotNeeded for a severity that gets none.
        """
        existing = store.of_incident(self.session, story.incident, lock=True)
        if existing is not None:
            return self._refresh(existing, story, by=by, source=source)
        if need_of(story.severity) is Need.NONE:
            raise PostmortemNotNeeded(f"A {story.severity} incident hurt nobody: write what was learned as a note.")
        made = self._made(story)
        if not store.add(self.session, made):
            # Another replica was quicker, and has the same story.
            return self.of_incident(story.incident)
        for name, text in drafting.sections_of(story).items():
            self._put(made.id, name, text, 1, drafted=True, by=by)
        moments = drafting.chosen(story.moments)
        store.add_moments(self.session, made.id, moments)
        store.set_themes(self.session, made.id, drafting.themes_of(story))
        fact = PostmortemDrafted(
            **_about(made), severity=made.severity, due_at=made.due_at, drill=made.drill, moments=len(moments)
        )
        self._tell(fact, by=by, source=source)
        self._remind_of(made)
        return self.get(made.id)

    def edit(
        self, postmortem_id: str, section: Section, text: str, *, version: int, by: str, source: str
    ) -> SectionText:
        """Replace a section's text. `version` is the one that was read: two people never overwrite each other.

        Raises PostmortemNotFound, PostmortemInvalid or PreconditionFailed. The same text again changes nothing.
        """
        clean = text.replace("\r\n", "\n").replace("\r", "\n").rstrip()
        if len(clean) > LONGEST_SECTION:
            expected = f"at most {LONGEST_SECTION:,} characters, and there are {len(clean):,}"
            raise PostmortemInvalid("The section is too long.", complaints=[Complaint("text", expected)])
        found = self.get(postmortem_id, lock=True)
        held = store.sections_of(self.session, postmortem_id)[section]
        if held.version != version:
            raise PreconditionFailed(
                f"Somebody else changed “{section}” meanwhile: it is at revision {held.version} now, and you read "
                f"{version}."
            )
        if held.text == clean:
            return held
        self._put(found.id, section, clean, held.version + 1, drafted=False, by=by)
        self._touch(found, by=by, source=source, why=f"“{section}” was edited after it was read")
        fact = SectionEdited(**_about(found), section=section.value, revision=version + 1, characters=len(clean))
        self._tell(fact, by=by, source=source)
        return store.sections_of(self.session, postmortem_id)[section]

    def set_about(
        self,
        postmortem_id: str,
        *,
        by: str,
        source: str,
        lead: str | None = None,
        themes: Collection[str] | None = None,
    ) -> Postmortem:
        """Who sees to it, and the themes of its causes; None leaves one as it is, '' names nobody.

        Raises PostmortemInvalid for somebody who isn't there, or has left.
        """
        found = self.get(postmortem_id, lock=True)
        before: dict[str, Any] = {}
        after: dict[str, Any] = {}
        if lead is not None and (lead or None) != found.lead:
            if lead:
                require_active(self.session, lead, "lead")
            before["lead"], after["lead"] = found.lead, lead or None
            store.change(self.session, found.id, lead=lead or None)
        if themes is not None:
            kept = tuple(sorted({theme_of(one) for one in themes} - {""}))
            if len(kept) > MOST_THEMES:
                expected = f"at most {MOST_THEMES} themes"
                raise PostmortemInvalid("There are too many themes.", complaints=[Complaint("themes", expected)])
            if kept != found.themes:
                before["themes"], after["themes"] = list(found.themes), list(kept)
                store.set_themes(self.session, found.id, kept)
        if after:
            self._touch(found, by=by, source=source, content=False)
            self._tell(AboutChanged(**_about(found), before=before, after=after), by=by, source=source)
        return self.get(postmortem_id)

    def add_moment(self, postmortem_id: str, at: datetime, text: str, *, by: str, source: str) -> Moment:
        """A line of somebody's own. Raises PostmortemInvalid."""
        found = self.get(postmortem_id, lock=True)
        words = " ".join(text.split())
        if not words or len(words) > _LONGEST_MOMENT:
            expected = f"what happened, in 1 to {_LONGEST_MOMENT:,} characters"
            raise PostmortemInvalid("The line says nothing.", complaints=[Complaint("text", expected)])
        if not _OLDEST_YEAR <= at.year <= _NEWEST_YEAR or at > self.clock.now() + timedelta(minutes=5):
            expected = f"an instant that is over, since {_OLDEST_YEAR}"
            raise PostmortemInvalid("That is yet to come.", complaints=[Complaint("at", expected)])
        if len(store.moments_of(self.session, found.id)) >= MOST_MOMENTS + 100:
            raise PostmortemInvalid("The timeline is full: hide what is not needed in place of adding to it.")
        identifier = new_id("mom")
        one = Moment(at=at, text=words, kind=MomentKind.NOTE, origin=f"hand:{identifier}", first_class=True)
        store.add_moments(self.session, found.id, [one])
        self._touch(found, by=by, source=source, why="a line was added to the timeline")
        kept = next(each for each in store.moments_of(self.session, found.id) if each.origin == one.origin)
        self._tell(TimelineEdited(**_about(found), moment=kept.id, what="added"), by=by, source=source)
        return kept

    def mark_moment(
        self,
        postmortem_id: str,
        moment_id: str,
        *,
        by: str,
        source: str,
        first_class: bool | None = None,
        hidden: bool | None = None,
    ) -> Moment:
        """Show a line among the first, or hide one that tells nothing. Raises MomentNotFound."""
        found = self.get(postmortem_id, lock=True)
        held = store.moment(self.session, found.id, moment_id)
        if held is None:
            raise MomentNotFound(f"The timeline has no line {moment_id[:60]!r}.")
        wanted = replace(
            held,
            first_class=held.first_class if first_class is None else first_class,
            hidden=held.hidden if hidden is None else hidden,
        )
        if wanted != held:
            store.change_moment(self.session, held.id, first_class=wanted.first_class, hidden=wanted.hidden)
            self._touch(found, by=by, source=source, why="the timeline was changed")
            what = "hidden" if wanted.hidden else "pinned" if wanted.first_class else "made a detail"
            self._tell(TimelineEdited(**_about(found), moment=held.id, what=what), by=by, source=source)
        return wanted

    def move(self, postmortem_id: str, to: State, *, by: str, source: str, reason: str = "") -> Postmortem:
        """Into review, back, reviewed, published. Raises StateRefused with what is missing."""
        found = self.get(postmortem_id, lock=True)
        if to is found.state:
            return found
        if to not in NEXT[found.state]:
            possible = ", ".join(one.value for one in NEXT[found.state])
            raise StateRefused(f"From {found.state.value} it goes to: {possible}.")
        if to is State.REVIEWED:
            self._require_reviews(found)
        now = self.clock.now()
        values: dict[str, Any] = {"state": to.value, "updated_at": now}
        if to is State.IN_REVIEW and found.submitted_at is None:
            values["submitted_at"] = now
        if to is State.DRAFT:
            # It is owed again, by the instant that it was.
            values["submitted_at"] = None
        if to is State.PUBLISHED:
            values["published_at"] = now
        store.change(self.session, found.id, **values)
        fact = StateChanged(**_about(found), before=found.state.value, after=to.value, reason=reason.strip()[:500])
        self._tell(fact, by=by, source=source)
        return self.get(found.id)

    def review(self, postmortem_id: str, *, by: str, source: str) -> Postmortem:
        """Somebody has read it as it is now. Raises StateRefused unless it is in review. Harmless when repeated."""
        found = self.get(postmortem_id, lock=True)
        if found.state is not State.IN_REVIEW:
            raise StateRefused("Only what is in review can be reviewed.")
        mine = next((one for one in store.reviews_of(self.session, found.id) if one.person == by), None)
        if mine is None or mine.version != found.version:
            store.put_review(self.session, found.id, Review(by, self.clock.now(), found.version))
            self._tell(PostmortemReviewed(**_about(found), content_version=found.version), by=by, source=source)
        return found

    def _require_reviews(self, found: Postmortem) -> None:
        fresh = [one for one in store.reviews_of(self.session, found.id) if one.version == found.version]
        missing = self.settings.least_reviewers - len(fresh)
        if missing > 0:
            who = "One more person has" if missing == 1 else f"{missing} more people have"
            raise StateRefused(f"{who} to read it as it is now: what was read before its last change does not count.")

    def _made(self, story: Story) -> Postmortem:
        now = self.clock.now()
        return Postmortem(
            id=new_id("pmt"),
            incident=story.incident,
            name=story.name[:200],
            title=story.title[:500],
            severity=story.severity,
            services=story.services,
            environment=story.environment[:300],
            drill=story.drill,
            state=State.DRAFT,
            due_at=self._due(story),
            resolved_at=story.measures.resolved_at,
            submitted_at=None,
            published_at=None,
            lead=story.lead,
            measures=story.measures,
            budgets=story.budgets,
            causes=story.causes,
            created_at=now,
            updated_at=now,
        )

    def _due(self, story: Story) -> datetime | None:
        hours, ended = self.settings.due_hours(story.severity), story.measures.resolved_at
        if hours is None or ended is None or story.drill:
            return None
        return ended + timedelta(hours=hours)

    def _refresh(self, found: Postmortem, story: Story, *, by: str, source: str) -> Postmortem:
        texts, held = drafting.sections_of(story), store.sections_of(self.session, found.id)
        # A finished one is what people agreed on: only its timeline and figures may grow.
        stale = [
            name
            for name, one in held.items()
            if one.drafted and one.text != texts[name] and found.state in (State.DRAFT, State.IN_REVIEW)
        ]
        for name in stale:
            self._put(found.id, name, texts[name], held[name].version + 1, drafted=True, by=by)
        due = self._due(story)
        room = MOST_MOMENTS - len(store.moments_of(self.session, found.id))
        added = store.add_moments(self.session, found.id, drafting.chosen(story.moments)[: max(0, room)])
        known = (found.severity, found.title, found.measures, found.due_at, found.causes, found.budgets, found.services)
        now_known = (
            story.severity,
            story.title[:500],
            story.measures,
            due,
            story.causes,
            story.budgets,
            story.services,
        )
        if not stale and not added and known == now_known:
            return found
        store.change(
            self.session,
            found.id,
            severity=story.severity,
            title=story.title[:500],
            services=story.services,
            measures=story.measures,
            budgets=story.budgets,
            causes=story.causes,
            resolved_at=story.measures.resolved_at,
            due_at=due,
        )
        self._touch(found, by=by, source=source, content=bool(stale or added), why="it was read again from the record")
        fact = PostmortemRefreshed(
            **_about(found), due_at=due, sections=tuple(one.value for one in stale), moments=added
        )
        self._tell(fact, by=by, source=source)
        fresh = self.get(found.id)
        if due != found.due_at:
            self._remind_of(fresh)
        return fresh

    def _put(self, postmortem_id: str, name: Section, text: str, version: int, *, drafted: bool, by: str) -> None:
        one = SectionText(name=name, text=text, version=version, drafted=drafted, at=self.clock.now(), by=by)
        store.put_section(self.session, postmortem_id, one)

    def _touch(self, found: Postmortem, *, by: str, source: str, content: bool = True, why: str = "") -> None:
        """It changed: a review that was of something else is none any more."""
        values: dict[str, Any] = {"updated_at": self.clock.now()}
        state = after_edit(found.state) if content else found.state
        if content:
            values |= {"version": found.version + 1, "state": state.value}
        store.change(self.session, found.id, **values)
        if state is not found.state:
            fact = StateChanged(**_about(found), before=found.state.value, after=state.value, reason=why)
            self._tell(fact, by=by, source=source)

    def _remind_of(self, one: Postmortem) -> None:
        """Rows of due work, in this transaction: told when three quarters of the time are over, and when all is."""
        if one.due_at is None:
            return
        span = one.due_at - (one.resolved_at or one.created_at)
        for why, at in (("soon", one.due_at - span / 4), ("overdue", one.due_at)):
            work.enqueue(
                self.session,
                kind=DUE,
                key=f"postmortems:due:{one.id}:{rfc3339(one.due_at)}:{why}",
                due_at=at,
                payload={"postmortem": one.id, "due_at": rfc3339(one.due_at), "why": why},
            )

    def _tell(self, fact: Event, *, by: str, source: str) -> None:
        journal.append(self.session, fact, by=by, source=source, at=self.clock.now())


def require_active(session: Session, person: str, where: str) -> None:
    """Raises PostmortemInvalid for somebody who isn't there, or has left."""
    member = next((one for one in identity.staff(session) if one.id == person), None)
    if member is None or not member.active:
        why = "who is here" if member is None else f"who is still here; {member.name} has left"
        raise PostmortemInvalid("Nobody would see to it.", complaints=[Complaint(where, f"the id of a person {why}")])


def _about(one: Postmortem) -> dict[str, Any]:
    return {"postmortem": one.id, "incident": one.incident, "service_name": one.service}
