"""What customers are owed for a period, step by step. Pure: exact shares, decimal money, no clock."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal
from fractions import Fraction

from watchkeeper.modules.slo.definition import Agreement, Tier
from watchkeeper.modules.slo.model import Counts

# Digits after the point, where they are not two (ISO 4217).
_MINOR_DIGITS = {
    **dict.fromkeys(("CLP", "ISK", "JPY", "KRW", "PYG", "UGX", "VND", "XAF", "XOF", "XPF"), 0),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
}


@dataclass(frozen=True)
class Rung:
    """A row of a tier's table: below this share, this share of the fee; `reached` says whether it was."""

    below: Decimal
    credit: Decimal
    reached: bool


@dataclass(frozen=True)
class TierCredit:
    """What each customer of a tier is owed. `rate` is a share of the fee; `amount` None where no fee is known.

    `steps` is the arithmetic in sentences, so that a customer can do it again by hand.
    """

    tier: str
    currency: str
    fee: Decimal | None
    rungs: tuple[Rung, ...]
    rate: Decimal
    amount: Decimal | None
    steps: tuple[str, ...]


def is_below(counts: Counts, share: float | Decimal) -> bool:
    """Whether good / total is less than `share`, without rounding; never of nothing."""
    if counts.total <= 0:
        return False
    return min(Fraction(counts.good), Fraction(counts.total)) < Fraction(str(share)) * Fraction(counts.total)


def shown_share(counts: Counts, digits: int = 4) -> str:
    """A percentage that is cut, not rounded: 99.89999 is never shown as the 99.9 that it missed."""
    if counts.total <= 0:
        return "not measured"
    exact = min(Fraction(counts.good) / Fraction(counts.total), Fraction(1)) * 100
    scale = 10**digits
    return f"{Decimal(int(exact * scale)).scaleb(-digits):f} %"


def shown_target(share: float | Decimal) -> str:
    """0.999 as `99.9 %`, exactly as it was promised."""
    return f"{(Decimal(str(share)) * 100).normalize():f} %"


def shown_events(number: float) -> str:
    """Whole numbers as such; weighted ones with up to three digits."""
    if abs(number - round(number)) < 1e-6:
        return f"{round(number):,}"
    return f"{number:,.3f}".rstrip("0").rstrip(".")


def shown_money(amount: Decimal, currency: str) -> str:
    """`1,250.00 EUR`."""
    return f"{amount:,.{minor_digits(currency)}f} {currency}"


def minor_digits(currency: str) -> int:
    """How many digits after the point a currency has."""
    return _MINOR_DIGITS.get(currency, 2)


def credit_for(tier: Tier, counts: Counts) -> TierCredit:
    """The largest credit of the rows that were reached: it never grows with a better share, and never exceeds the fee.

    Where nothing was measured, nothing is owed: time without measurement proves neither a failure nor its absence.
    """
    rungs = tuple(
        Rung(Decimal(str(one.below)), Decimal(str(one.credit)), is_below(counts, one.below))
        for one in sorted(tier.credits, key=lambda one: -one.below)
    )
    rate = max((one.credit for one in rungs if one.reached), default=Decimal(0))
    fee = None if tier.fee is None else Decimal(str(tier.fee))
    amount = None if fee is None else _amount(fee, rate, tier.currency)
    steps = (*_steps_of_share(counts), *_steps_of_tier(counts, rungs, rate, fee, amount, tier.currency))
    return TierCredit(tier.name, tier.currency, fee, rungs, rate, amount, steps)


def credits_for(agreement: Agreement, counts: Counts) -> tuple[TierCredit, ...]:
    """Of each tier, in the agreement's order."""
    return tuple(credit_for(one, counts) for one in agreement.tiers)


def _amount(fee: Decimal, rate: Decimal, currency: str) -> Decimal:
    unit = Decimal(1).scaleb(-minor_digits(currency))
    rounded = (fee * rate).quantize(unit, ROUND_HALF_UP)
    return min(rounded, fee.quantize(unit, ROUND_DOWN))


def _steps_of_share(counts: Counts) -> tuple[str, ...]:
    if counts.total <= 0:
        return ("Nothing was measured in the period, so no credit follows from it.",)
    good, total = shown_events(min(counts.good, counts.total)), shown_events(counts.total)
    return (f"{good} good of {total} events = {shown_share(counts)}",)


def _steps_of_tier(
    counts: Counts, rungs: tuple[Rung, ...], rate: Decimal, fee: Decimal | None, amount: Decimal | None, currency: str
) -> tuple[str, ...]:
    if counts.total <= 0:
        return ()
    table = [
        f"below {shown_target(one.below)}: {shown_target(one.credit)} of the fee ({'yes' if one.reached else 'no'})"
        for one in rungs
    ]
    if fee is None or amount is None:
        return (*table, f"credit = {shown_target(rate)} of the fee")
    exact = (fee * rate).normalize()
    digits = max(minor_digits(currency), -int(exact.as_tuple().exponent))
    due = f"{shown_money(fee, currency)} x {shown_target(rate)} = {exact:,.{digits}f} {currency}"
    rounded = "" if exact == amount else f", rounded to {shown_money(amount, currency)}"
    return (*table, due + rounded)
