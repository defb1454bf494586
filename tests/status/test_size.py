"""However much is published, what a phone has to load stays within bounds, and nothing that counts is left out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from watchkeeper.modules.status.model import (
    Component,
    ComponentSaid,
    Day,
    Maintenance,
    PageSaid,
    PublicIncident,
    Review,
    Stage,
    State,
    Update,
)
from watchkeeper.modules.status.publishing import LONGEST_BODY, LONGEST_TITLE
from watchkeeper.modules.status.showing import MOST_NOW, Where, render
from watchkeeper.modules.status.snapshot import BEGINNING, Shown, Snapshot, Told
from watchkeeper.modules.status.store import MOST_COMPONENTS, MOST_INCIDENTS

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
# Before it is packed, which makes it a hundredth of that.
MOST_BYTES = {"index.html": 3_000_000, "others": 6_000_000}
STATES = [State.MAJOR, State.OPERATIONAL, State.PARTIAL, State.DEGRADED]


def component(number: int, sign: str) -> Shown:
    said = ComponentSaid(title=sign * 100, group=f"{number}{sign * 90}", description=sign * 500)
    made = Component(id=f"cmp_{number}", name=f"part-{number}", said=said, created_at=NOW, updated_at=NOW)
    days = [
        Day((NOW - timedelta(days=90 - at)).date(), STATES[at % 4], {STATES[at % 4]: 3_600.0 + at}) for at in range(90)
    ]
    return Shown(made, STATES[number % 4], 0.98765, days)


def told(number: int, sizes: list[int], sign: str, *, over: bool) -> Told:
    at = NOW - timedelta(hours=number)
    incident = PublicIncident(
        id=f"pin_{number}",
        title=sign * LONGEST_TITLE,
        incident=None,
        started_at=at,
        created_at=at,
        published_at=at,
        resolved_at=NOW if over else None,
        updated_at=NOW,
        stage=Stage.RESOLVED if over else Stage.IDENTIFIED,
    )
    updates = [
        Update(
            id=f"pup_{number}_{which}",
            incident=incident.id,
            review=Review.PUBLISHED,
            stage=Stage.RESOLVED if over and which == 0 else Stage.IDENTIFIED,
            body=sign * size,
            components={"cmp_1": State.MAJOR},
            happened_at=at,
            drafted_at=at,
            drafted_by="per",
            published_at=at,
        )
        for which, size in enumerate(sizes)
    ]
    return Told(incident, updates)


def snapshot(components: int, incidents: list[Told]) -> Snapshot:
    planned = Maintenance(
        id="smt_1",
        title="Disks",
        body="Words",
        components=("cmp_1",),
        starts_at=NOW,
        ends_at=NOW + timedelta(hours=1),
        created_at=NOW,
        created_by="per",
    )
    return Snapshot(NOW, PageSaid(), [component(one, "&") for one in range(components)], incidents, [planned])


def test_the_fullest_page_there_can_be_stays_within_its_bound() -> None:
    # A sign that takes five bytes in HTML, and more in a feed; each day of each component was something else.
    full = snapshot(
        MOST_COMPONENTS,
        [told(one, [LONGEST_BODY] * 3, "&", over=one % 2 == 0) for one in range(MOST_INCIDENTS)],
    )
    made = render(full, Where(url="https://status.example"))
    for name, (_, body) in made.items():
        assert len(body) < MOST_BYTES["index.html" if name == "index.html" else "others"], (name, len(body))


sizes = st.lists(st.integers(1, LONGEST_BODY), min_size=1, max_size=4)


@given(st.lists(st.tuples(sizes, st.booleans()), max_size=12), st.integers(0, 3 * MOST_NOW))
@settings(deadline=None)
def test_of_each_incident_at_least_the_newest_words_stay_and_nothing_is_shown_out_of_order(
    wanted: list[tuple[list[int], bool]], room: int
) -> None:
    whole = snapshot(1, [told(at, sizes, "x", over=over) for at, (sizes, over) in enumerate(wanted)])
    cut = whole.within(room)
    assert [one.incident for one in cut.incidents] == [one.incident for one in whole.incidents]
    fits = 0
    for one in cut.incidents:
        assert [update.id for update in one.shown] == [update.id for update in one.updates[: len(one.shown)]]
        assert len(one.shown) + one.left_out == len(one.updates)
        assert len(one.shown) >= 1
        fits += sum(len(update.body) for update in one.shown)
        # What it says of components is never cut.
        assert one.updates == whole.incidents[cut.incidents.index(one)].updates
    assert fits <= room + len(wanted) * (BEGINNING + 2)
    if sum(sum(sizes) for sizes, _ in wanted) <= room:
        assert all(not one.left_out for one in cut.incidents)
