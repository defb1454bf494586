"""Laws of what pages say and show."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from tests.slo.support import slo
from watchkeeper.modules.slo.model import Counts, Figures, Status, budget_of, forecast
from watchkeeper.modules.slo.pages import SORTS, Wanted, listing
from watchkeeper.modules.slo.pages_words import events, rate


@given(st.floats(0, 1e9))
def test_a_rate_never_looks_like_nothing_unless_it_is(value: float) -> None:
    assert rate(value).endswith("x")
    assert (rate(value) == "0x") == (value == 0)


@given(st.integers(0, 10**12))
def test_counts_are_told_exactly(value: int) -> None:
    assert int(events(value).replace(",", "")) == value


@given(
    q=st.text(max_size=10),
    status=st.sampled_from(["", "met", "no_data", "nonsense"]),
    sort=st.sampled_from([*SORTS, "nonsense"]),
    on_a_page=st.integers(1, 5),
)
def test_pages_of_a_list_hold_each_row_once(q: str, status: str, sort: str, on_a_page: int) -> None:
    found = FIGURES
    wanted = Wanted(q, "", status, sort)
    first = listing(found, wanted, 1, on_a_page)
    rows = [row for page in range(1, first.pages + 1) for row in listing(found, wanted, page, on_a_page).rows]
    assert len(rows) == first.fitting == sum(wanted.fits(one) for one in found)
    assert len({row.href for row in rows}) == len(rows)


def _figures() -> list[Figures]:
    """Twelve that count nothing, of three services."""
    now = datetime(2026, 3, 1, tzinfo=UTC)
    found = []
    for number in range(12):
        definition = slo(f"slo-{number}", service=f"service-{number % 3}")
        budget = budget_of(Counts(), 0.999, timedelta(days=30))
        found.append(
            Figures(
                definition=definition,
                objective=definition.objectives[0],
                status=Status.NO_DATA if number % 2 else Status.MET,
                now=now,
                since=now - timedelta(days=30),
                ends=None,
                counts=Counts(),
                excluded=Counts(),
                covered=0.0,
                budget=budget,
                burns={},
                forecast=forecast(budget, Counts(), now, None),
            )
        )
    return found


FIGURES = _figures()
