"""Which facts somebody asks for."""

# Annotations are kept as objects for FastAPI.
import re
from datetime import datetime, timedelta
from typing import Annotated
from urllib.parse import urlencode

from fastapi import Depends, Query, Request

from watchkeeper.kernel.clock import parse_rfc3339
from watchkeeper.kernel.errors import Complaint, Invalid
from watchkeeper.kernel.journal import Fact, FactFilter
from watchkeeper.kernel.web.parts import clock_of

_AGO = re.compile(r"(\d{1,5})([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_MOST_VALUES = 50

Several = "Several are separated by commas."
Text = Annotated[str, Query(max_length=1_000)]
Moment = Annotated[
    str, Query(max_length=40, description="RFC 3339, or a time back from now: `30m`, `6h`, `7d`.", examples=["6h"])
]


class TimeNotUnderstood(Invalid):
    code = "timeline.time_not_understood"
    title = "The time can't be read"


def _fact_filter(
    request: Request,
    service: Annotated[str, Query(max_length=1_000, description=f"Names of services. {Several}")] = "",
    kind: Annotated[
        str, Query(max_length=1_000, description=f"Kinds of facts; one that ends in a dot is a prefix. {Several}")
    ] = "",
    actor: Annotated[str, Query(max_length=1_000, description=f"Ids of actors. {Several}")] = "",
    since: Moment = "",
    until: Moment = "",
) -> FactFilter:
    now = clock_of(request).now()
    return FactFilter(
        services=_values(service),
        kinds=_values(kind),
        actors=_values(actor),
        since=instant_of(since, now, "query.since"),
        until=instant_of(until, now, "query.until"),
    )


Wanted = Annotated[FactFilter, Depends(_fact_filter)]


def instant_of(text: str, now: datetime, where: str) -> datetime | None:
    """The instant of `6h` (that long before `now`) or of an RFC 3339 text. Raises TimeNotUnderstood."""
    if not text:
        return None
    try:
        # In an address, a plus sign that was not escaped arrives as a space.
        ago = _AGO.fullmatch(text)
        return now - timedelta(**{_UNITS[ago[2]]: int(ago[1])}) if ago else parse_rfc3339(text.replace(" ", "+"))
    except (ValueError, OverflowError):
        complaint = Complaint(where, "such as 30m, 6h, 7d or 2026-03-29T01:00:00Z")
        raise TimeNotUnderstood("The time is not one that can be read.", complaints=[complaint]) from None


def fits(fact: Fact, wanted: FactFilter) -> bool:
    """Whether a fact is among those: the same answer as the database gives."""
    return (
        (not wanted.services or fact.service in wanted.services)
        and (not wanted.kinds or any(_is_kind(fact.kind, kind) for kind in wanted.kinds))
        and (not wanted.actors or fact.actor in wanted.actors)
        and (wanted.since is None or fact.at >= wanted.since)
        and (wanted.until is None or fact.at < wanted.until)
        and (wanted.before_seq is None or fact.seq < wanted.before_seq)
        and (wanted.after_seq is None or fact.seq > wanted.after_seq)
    )


def query_of(request: Request, *names: str) -> str:
    """The filter as it stands in the address, without the place in the list."""
    names = names or ("service", "kind", "actor", "since", "until")
    return urlencode([(name, value) for name in names if (value := request.query_params.get(name))])


def _is_kind(kind: str, wanted: str) -> bool:
    return kind.startswith(wanted) if wanted.endswith(".") else kind == wanted


def _values(text: str) -> tuple[str, ...]:
    return tuple(sorted({one.strip() for one in text.split(",") if one.strip()}))[:_MOST_VALUES]
