"""From what the record knows of an incident to the first words of its postmortem. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from watchkeeper.modules.postmortems.model import (
    MOST_MOMENTS,
    BudgetSpent,
    Cause,
    Measures,
    Moment,
    Section,
)

_MOST_NAMED = 5


@dataclass(frozen=True, kw_only=True)
class Story:
    """What is known of an incident, read at one instant. `roles` are names of people by their role."""

    incident: str
    name: str
    title: str
    severity: str
    services: tuple[str, ...]
    environment: str
    drill: bool
    summary: str
    impact: str
    lead: str | None
    roles: Mapping[str, str]
    measures: Measures
    moments: tuple[Moment, ...]
    budgets: tuple[BudgetSpent, ...] = ()
    causes: tuple[Cause, ...] = ()
    helped: tuple[str, ...] = ()


def sections_of(story: Story) -> dict[Section, str]:
    """A first text for each section, in Markdown. What isn't known is asked for, in italics, and not made up."""
    return {
        Section.SUMMARY: _summary(story),
        Section.IMPACT: _impact(story),
        Section.DETECTION: _detection(story.measures),
        Section.HELPED: _helped(story),
        Section.CAUSES: _causes(story),
    }


def chosen(moments: Iterable[Moment], most: int = MOST_MOMENTS) -> tuple[Moment, ...]:
    """At most so many, in the order of time: those that tell the story by themselves first, then the earliest."""
    by_origin = {one.origin: one for one in moments}
    ranked = sorted(by_origin.values(), key=lambda one: (not one.first_class, one.at, one.origin))
    return tuple(sorted(ranked[:most], key=lambda one: (one.at, one.origin)))


def themes_of(story: Story) -> tuple[str, ...]:
    """What can be said of its causes without a person: people add the rest."""
    found = []
    if story.causes:
        found.append("change")
    if story.measures.detected_by == "hand":
        found.append("detection-gap")
    return tuple(found)


def words_of(span: timedelta | None) -> str:
    """`under a minute`, `12 min`, `3 h 5 min`, `2 d 4 h`."""
    if span is None:
        return "not known"
    minutes = int(span.total_seconds() // 60)
    if minutes < 1:
        return "under a minute"
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h" if hours else f"{days} d"


def one_line(text: str, longest: int = 500) -> str:
    """A text from elsewhere as part of a line of ours."""
    flat = " ".join(text.split())
    return flat if len(flat) <= longest else f"{flat[: longest - 1]}…"


def _summary(story: Story) -> str:
    where = _listed(story.services) or "an unnamed service"
    measures = story.measures
    lines = []
    if story.drill:
        lines.append("**This was a drill.** Nobody outside was hurt.")
    if story.summary.strip():
        lines.append(story.summary.strip())
    length = words_of(measures.to_resolve)
    environment = f" in {story.environment}" if story.environment else ""
    lines.append(
        f"{story.severity} on {where}{environment}: {one_line(story.title)}. "
        f"It began at {_clock(measures.started_at)} and was over after {length}."
    )
    if story.roles:
        lines.append("Who responded: " + "; ".join(f"{role} {name}" for role, name in story.roles.items()) + ".")
    return "\n\n".join(lines)


def _impact(story: Story) -> str:
    lines = [story.impact.strip()] if story.impact.strip() else ["*Who noticed, and what could they not do?*"]
    users = story.measures.users_affected
    if users is not None:
        lines.append(f"Users affected: {users:,}.")
    if story.budgets:
        table = ["| Objective | Bad events | Budget spent | Left now |", "| --- | ---: | ---: | ---: |"]
        table += [
            f"| {one.slo}{f' ({one.objective})' if one.objective else ''} | {one.bad:,.0f} of {one.total:,.0f} "
            f"| {one.share:.1%} | {one.left:.1%} |"
            for one in story.budgets
        ]
        lines.append("\n".join(table))
    else:
        lines.append("*No objective of these services measured it, so its cost to an error budget is not known.*")
    return "\n\n".join(lines)


def _detection(measures: Measures) -> str:
    if measures.detected_by == "alert":
        how = f"An alert noticed it{f': {one_line(measures.alert)}' if measures.alert else ''}."
    else:
        how = "It was noticed by hand: no alert told of it before it was opened. *Which alert would have?*"
    rows = [
        ("detect", measures.to_detect),
        ("acknowledge", measures.to_acknowledge),
        ("respond", measures.to_respond),
        ("resolve", measures.to_resolve),
    ]
    table = ["| From the first symptom | Time |", "| --- | ---: |"]
    table += [f"| to {name} | {words_of(span)} |" for name, span in rows]
    return f"{how}\n\n" + "\n".join(table)


def _helped(story: Story) -> str:
    lines = [f"- {one_line(one)}" for one in story.helped]
    undone = [one for one in story.causes if one.undone]
    lines += [f"- The change could be undone: {one_line(one.text)}" for one in undone]
    return "\n".join(lines) if lines else "*What went well? Name luck as luck.*"


def _causes(story: Story) -> str:
    if not story.causes:
        return "*Nothing changed on these services shortly before. What made it possible, what made it last?*"
    lines = []
    for one in story.causes:
        ahead = story.measures.started_at - one.at
        when = f"{words_of(ahead)} before the first symptom" if ahead >= timedelta() else "after the first symptom"
        mark = " **This is the change that was undone.**" if one.undone else ""
        why = f" ({'; '.join(one_line(each, 120) for each in one.why)})" if one.why else ""
        said = one_line(one.text).rstrip(".")
        where = "" if one.service is None or one.service in said else f" on {one.service}"
        lines.append(f"- {said}{where}, {when}{why}.{mark}")
    return "\n".join([*lines, "", "*These came before it; whether they had a part in it is for people to say.*"])


def _listed(names: Sequence[str]) -> str:
    shown = list(names[:_MOST_NAMED])
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")


def _clock(instant: datetime) -> str:
    return f"{instant:%Y-%m-%d %H:%M} UTC"
