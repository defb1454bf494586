"""What customers are owed: examples that one can do by hand, and laws."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchkeeper.modules.slo.definition import Tier
from watchkeeper.modules.slo.model import Counts
from watchkeeper.modules.slo.reports.credits import credit_for, is_below, shown_money, shown_share, shown_target


def tier(*table: tuple[float, float], fee: float | None = 1000.0, currency: str = "EUR") -> Tier:
    rows = [{"below": below, "credit": credit} for below, credit in table]
    return Tier.model_validate({"name": "gold", "credits": rows, "fee": fee, "currency": currency})


GOLD = ((0.999, 0.1), (0.99, 0.25), (0.95, 1.0))
tables = st.lists(st.tuples(st.floats(0.5, 0.99999), st.floats(0.001, 1)), min_size=1, max_size=6)
fees = st.floats(0, 1e7, allow_nan=False)
totals = st.integers(1, 10**9)


def test_the_lowest_row_that_was_reached_decides() -> None:
    found = credit_for(tier(*GOLD), Counts(good=985_000, total=1_000_000))
    assert (found.rate, found.amount) == (Decimal("0.25"), Decimal("250.00"))
    assert [one.reached for one in found.rungs] == [True, True, False]


def test_each_step_of_the_arithmetic_is_said() -> None:
    found = credit_for(tier(*GOLD, fee=1234.56), Counts(good=998_800, total=1_000_000))
    assert found.steps == (
        "998,800 good of 1,000,000 events = 99.8800 %",
        "below 99.9 %: 10 % of the fee (yes)",
        "below 99 %: 25 % of the fee (no)",
        "below 95 %: 100 % of the fee (no)",
        "1,234.56 EUR x 10 % = 123.456 EUR, rounded to 123.46 EUR",
    )


def test_a_share_exactly_at_the_row_owes_nothing() -> None:
    # 999 of 1,000 is 99.9 %, whatever binary fractions make of it.
    assert credit_for(tier(*GOLD), Counts(999, 1000)).rate == 0
    assert credit_for(tier(*GOLD), Counts(998_999, 1_000_000)).rate == Decimal("0.1")


def test_where_nothing_was_measured_nothing_is_owed() -> None:
    found = credit_for(tier(*GOLD), Counts())
    assert found.amount == 0
    assert found.steps == ("Nothing was measured in the period, so no credit follows from it.",)


def test_without_a_fee_the_credit_is_a_share() -> None:
    found = credit_for(tier(*GOLD, fee=None), Counts(90, 100))
    assert found.amount is None
    assert found.steps[-1] == "credit = 100 % of the fee"


@pytest.mark.parametrize(
    ("currency", "fee", "amount"),
    [("JPY", 12345, Decimal("1235")), ("KWD", 12.345, Decimal("1.235")), ("EUR", 0.04, Decimal("0.00"))],
)
def test_money_has_the_digits_of_its_currency(currency: str, fee: float, amount: Decimal) -> None:
    assert credit_for(tier((0.999, 0.1), fee=fee, currency=currency), Counts(99, 100)).amount == amount


def test_a_missed_target_is_never_shown_as_met() -> None:
    assert shown_share(Counts(99_899_999, 100_000_000)) == "99.8999 %"
    assert shown_share(Counts(1, 1)) == "100.0000 %"
    assert shown_share(Counts()) == "not measured"
    assert shown_target(0.9995) == "99.95 %"
    assert shown_target(0.1) == "10 %"
    assert shown_money(Decimal("1250"), "EUR") == "1,250.00 EUR"


@given(tables, fees, totals, st.data())
def test_a_credit_never_rises_with_a_better_share(
    table: list[tuple[float, float]], fee: float, total: int, data: st.DataObject
) -> None:
    worse = data.draw(st.integers(0, total))
    better = data.draw(st.integers(worse, total))
    first, second = (credit_for(tier(*table, fee=fee), Counts(good, total)) for good in (worse, better))
    assert first.amount is not None
    assert second.amount is not None
    assert second.rate <= first.rate
    assert second.amount <= first.amount


@given(tables, fees, totals, st.floats(0, 1), st.sampled_from(["EUR", "JPY", "KWD"]))
def test_a_credit_is_never_more_than_the_fee_nor_less_than_nothing(
    table: list[tuple[float, float]], fee: float, total: int, share: float, currency: str
) -> None:
    found = credit_for(tier(*table, fee=fee, currency=currency), Counts(total * share, total))
    assert found.amount is not None
    assert found.fee is not None
    assert 0 <= found.amount <= found.fee
    assert 0 <= found.rate <= 1


@given(totals, st.data())
def test_a_share_is_shown_at_or_below_what_it_is(total: int, data: st.DataObject) -> None:
    good = data.draw(st.integers(0, total))
    shown = Decimal(shown_share(Counts(good, total)).removesuffix(" %"))
    assert shown * total <= good * 100
    assert is_below(Counts(good, total), shown / 100) is False
