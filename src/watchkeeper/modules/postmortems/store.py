"""All SQL of postmortems themselves. Every function takes the caller's session and never commits."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, delete, func, insert, or_, select, update
from sqlalchemy.orm import Session

from watchkeeper.kernel.clock import parse_rfc3339, rfc3339
from watchkeeper.kernel.db.upsert import insert_for
from watchkeeper.kernel.ids import new_id
from watchkeeper.modules.postmortems.model import (
    BudgetSpent,
    Cause,
    Measures,
    Moment,
    MomentKind,
    Postmortem,
    Review,
    Section,
    SectionText,
    State,
)
from watchkeeper.modules.postmortems.tables import moments, postmortems, reviews, revisions, sections, themes

_TIMES = (
    "started_at",
    "detected_at",
    "acknowledged_at",
    "responded_at",
    "identified_at",
    "monitoring_at",
    "resolved_at",
)


@dataclass(frozen=True, kw_only=True)
class PostmortemFilter:
    """Which postmortems; an empty field asks for all. `words` are looked for in titles and in the sections."""

    states: tuple[State, ...] = ()
    severities: tuple[str, ...] = ()
    service: str | None = None
    theme: str | None = None
    words: str = ""
    drills: bool | None = None
    overdue_at: datetime | None = None


def add(session: Session, one: Postmortem) -> bool:
    """False when the incident has one already."""
    row = {
        **{name: getattr(one, name) for name in _PLAIN},
        "services": list(one.services),
        "state": one.state.value,
        "measures": _measures_row(one.measures),
        "budgets": [asdict(budget) for budget in one.budgets],
        "causes": [_cause_row(cause) for cause in one.causes],
    }
    statement = insert_for(session, postmortems).values(row)
    added = session.execute(
        statement.on_conflict_do_nothing(index_elements=["incident"]).returning(postmortems.c.id)
    ).scalar()
    return added is not None


def change(session: Session, postmortem_id: str, **values: Any) -> None:
    """Set columns; `measures`, `budgets` and `causes` as they are in the model."""
    row = dict(values)
    if "measures" in row:
        row["measures"] = _measures_row(row["measures"])
    if "budgets" in row:
        row["budgets"] = [asdict(one) for one in row["budgets"]]
    if "causes" in row:
        row["causes"] = [_cause_row(one) for one in row["causes"]]
    if "services" in row:
        row["services"] = list(row["services"])
    session.execute(update(postmortems).where(postmortems.c.id == postmortem_id).values(row))


def by_id(session: Session, postmortem_id: str, *, lock: bool = False) -> Postmortem | None:
    return _one(session, postmortems.c.id == postmortem_id, lock=lock)


def of_incident(session: Session, incident: str, *, lock: bool = False) -> Postmortem | None:
    return _one(session, postmortems.c.incident == incident, lock=lock)


def listed(
    session: Session, wanted: PostmortemFilter, *, limit: int, after: tuple[datetime, str] | None = None
) -> list[Postmortem]:
    """The newest first."""
    asked = select(postmortems).where(*_conditions(wanted))
    if after is not None:
        at, postmortem_id = after
        older = (postmortems.c.created_at == at) & (postmortems.c.id < postmortem_id)
        asked = asked.where(or_(postmortems.c.created_at < at, older))
    asked = asked.order_by(postmortems.c.created_at.desc(), postmortems.c.id.desc())
    # Services are a list in one column, which the two engines search differently: there are few enough to look at.
    rows = list(session.execute(asked if wanted.service else asked.limit(limit)))
    known = themes_of(session, [row.id for row in rows])
    found = [_postmortem(row, known.get(row.id, ())) for row in rows]
    return [one for one in found if wanted.service is None or wanted.service in one.services][:limit]


def overdue(session: Session, at: datetime) -> list[Postmortem]:
    """Drafts after they were due, the longest first."""
    found = listed(session, PostmortemFilter(overdue_at=at), limit=1_000)
    return sorted(found, key=lambda one: (one.due_at or at, one.id))


def theme_counts(
    session: Session, since: datetime | None = None, *, drills: bool = False
) -> list[tuple[str, datetime]]:
    """A theme and the instant of its incident's end (or of the draft), for every postmortem that bears it."""
    at = func.coalesce(postmortems.c.resolved_at, postmortems.c.created_at)
    asked = select(themes.c.theme, postmortems.c.resolved_at, postmortems.c.created_at).join(
        postmortems, postmortems.c.id == themes.c.postmortem
    )
    if not drills:
        asked = asked.where(postmortems.c.drill.is_(False))
    if since is not None:
        asked = asked.where(at >= since)
    return [(row.theme, row.resolved_at or row.created_at) for row in session.execute(asked)]


def themes_of(session: Session, ids: Collection[str]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    asked = select(themes).where(themes.c.postmortem.in_(sorted(set(ids)))).order_by(themes.c.theme)
    for row in session.execute(asked):
        found[row.postmortem] = (*found.get(row.postmortem, ()), row.theme)
    return found


def set_themes(session: Session, postmortem_id: str, wanted: Iterable[str]) -> None:
    session.execute(delete(themes).where(themes.c.postmortem == postmortem_id))
    rows = [{"postmortem": postmortem_id, "theme": one} for one in sorted(set(wanted))]
    if rows:
        session.execute(insert(themes), rows)


# --- sections ---------------------------------------------------------------------------------------------------------


def sections_of(session: Session, postmortem_id: str) -> dict[Section, SectionText]:
    """Every section, in their order."""
    rows = session.execute(select(sections).where(sections.c.postmortem == postmortem_id))
    found = {Section(row.name): _section(row) for row in rows}
    return {name: found[name] for name in Section if name in found}


def put_section(session: Session, postmortem_id: str, one: SectionText) -> None:
    """The text of now, and the same as a revision."""
    values = {"text": one.text, "version": one.version, "drafted": one.drafted, "at": one.at, "by": one.by}
    statement = insert_for(session, sections).values(postmortem=postmortem_id, name=one.name.value, **values)
    session.execute(statement.on_conflict_do_update(index_elements=["postmortem", "name"], set_=values))
    kept = {name: value for name, value in values.items() if name != "drafted"}
    session.execute(insert(revisions).values(postmortem=postmortem_id, name=one.name.value, **kept))


def revisions_of(session: Session, postmortem_id: str, name: Section, *, limit: int = 100) -> list[SectionText]:
    """What a section said, newest first."""
    mine = (revisions.c.postmortem == postmortem_id) & (revisions.c.name == name.value)
    rows = session.execute(select(revisions).where(mine).order_by(revisions.c.version.desc()).limit(limit))
    return [
        SectionText(name=name, text=row.text, version=row.version, drafted=False, at=row.at, by=row.by) for row in rows
    ]


# --- the timeline -----------------------------------------------------------------------------------------------------


def moments_of(session: Session, postmortem_id: str) -> list[Moment]:
    """In the order of time."""
    asked = select(moments).where(moments.c.postmortem == postmortem_id).order_by(moments.c.at, moments.c.origin)
    return [_moment(row) for row in session.execute(asked)]


def moment(session: Session, postmortem_id: str, moment_id: str) -> Moment | None:
    mine = (moments.c.postmortem == postmortem_id) & (moments.c.id == moment_id)
    row = session.execute(select(moments).where(mine)).one_or_none()
    return _moment(row) if row is not None else None


def add_moments(session: Session, postmortem_id: str, wanted: Sequence[Moment]) -> int:
    """Those whose origin is not there yet; answers how many that were. In one statement: a draft has hundreds."""
    there = set(session.execute(select(moments.c.origin).where(moments.c.postmortem == postmortem_id)).scalars())
    fresh = {one.origin: one for one in wanted if one.origin not in there}
    rows = [
        {
            "id": new_id("mom"),
            "postmortem": postmortem_id,
            "at": one.at,
            "text": one.text,
            "kind": one.kind.value,
            "origin": one.origin,
            "first_class": one.first_class,
            "hidden": one.hidden,
            "href": one.href,
        }
        for one in fresh.values()
    ]
    if rows:
        session.execute(insert(moments), rows)
    return len(rows)


def change_moment(session: Session, moment_id: str, **values: Any) -> None:
    session.execute(update(moments).where(moments.c.id == moment_id).values(values))


# --- reviews ----------------------------------------------------------------------------------------------------------


def reviews_of(session: Session, postmortem_id: str) -> list[Review]:
    """Who read it, the first first."""
    asked = select(reviews).where(reviews.c.postmortem == postmortem_id).order_by(reviews.c.at, reviews.c.person)
    return [Review(row.person, row.at, row.version) for row in session.execute(asked)]


def put_review(session: Session, postmortem_id: str, one: Review) -> None:
    values = {"at": one.at, "version": one.version}
    statement = insert_for(session, reviews).values(postmortem=postmortem_id, person=one.person, **values)
    session.execute(statement.on_conflict_do_update(index_elements=["postmortem", "person"], set_=values))


# --- rows and what they are -------------------------------------------------------------------------------------------

_JSON = {"services", "state", "measures", "budgets", "causes", "themes"}
_PLAIN = tuple(one.name for one in fields(Postmortem) if one.name not in _JSON)


def _one(session: Session, where: ColumnElement[bool], *, lock: bool) -> Postmortem | None:
    asked = select(postmortems).where(where)
    row = session.execute(asked.with_for_update() if lock else asked).one_or_none()
    return None if row is None else _postmortem(row, themes_of(session, [row.id]).get(row.id, ()))


def _conditions(wanted: PostmortemFilter) -> Iterable[ColumnElement[bool]]:
    if wanted.states:
        yield postmortems.c.state.in_([one.value for one in wanted.states])
    if wanted.severities:
        yield postmortems.c.severity.in_(wanted.severities)
    if wanted.drills is not None:
        yield postmortems.c.drill.is_(wanted.drills)
    if wanted.theme:
        yield postmortems.c.id.in_(select(themes.c.postmortem).where(themes.c.theme == wanted.theme))
    if wanted.overdue_at is not None:
        yield postmortems.c.submitted_at.is_(None)
        yield postmortems.c.due_at < wanted.overdue_at
        yield postmortems.c.drill.is_(False)
    for word in wanted.words.split()[:8]:
        in_text = select(sections.c.postmortem).where(sections.c.text.icontains(word, autoescape=True))
        yield or_(
            postmortems.c.title.icontains(word, autoescape=True),
            postmortems.c.name.icontains(word, autoescape=True),
            postmortems.c.id.in_(in_text),
        )


def _postmortem(row: Row[Any], its_themes: tuple[str, ...]) -> Postmortem:
    values = {name: getattr(row, name) for name in _PLAIN}
    return Postmortem(
        **values,
        services=tuple(row.services),
        state=State(row.state),
        measures=_measures(row.measures),
        budgets=tuple(BudgetSpent(**one) for one in row.budgets),
        causes=tuple(_cause(one) for one in row.causes),
        themes=its_themes,
    )


def _measures_row(one: Measures) -> dict[str, Any]:
    row = asdict(one)
    return row | {name: rfc3339(row[name]) for name in _TIMES if row[name] is not None}


def _measures(row: Mapping[str, Any]) -> Measures:
    times = {name: parse_rfc3339(row[name]) for name in _TIMES if row.get(name) is not None}
    return Measures(**{**row, **times})


def _cause_row(one: Cause) -> dict[str, Any]:
    return {**asdict(one), "at": rfc3339(one.at), "why": list(one.why)}


def _cause(row: Mapping[str, Any]) -> Cause:
    return Cause(**{**row, "at": parse_rfc3339(row["at"]), "why": tuple(row["why"])})


def _section(row: Row[Any]) -> SectionText:
    return SectionText(
        name=Section(row.name), text=row.text, version=row.version, drafted=row.drafted, at=row.at, by=row.by
    )


def _moment(row: Row[Any]) -> Moment:
    return Moment(
        id=row.id,
        at=row.at,
        text=row.text,
        kind=MomentKind(row.kind),
        origin=row.origin,
        first_class=row.first_class,
        hidden=row.hidden,
        href=row.href,
    )
