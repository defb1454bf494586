"""Public ids of facts: they name a fact for good, on every replica, and tell nothing of how many there are.

An id holds the fact's instant, hidden under a mask made from the rest, and a digest of what it says. So it needs no
column, no key and no table: the fact is looked up by its instant and known by its digest.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256

from sqlalchemy.orm import Session

from watchkeeper.kernel.clock import from_unix_nano, to_unix_nano
from watchkeeper.kernel.errors import NotFound
from watchkeeper.kernel.ids import is_id
from watchkeeper.kernel.journal import Fact, FactFilter, read_facts

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_HALF = 13
_PREFIX = "fct"
_PAGE = 1_000
_INSTANTS = 2**53  # microseconds until the year 2255: beyond it there is no fact


class FactNotFound(NotFound):
    code = "timeline.fact_not_found"
    title = "No such fact"


def mark_of(fact: Fact) -> str:
    """The id of a fact, such as `fct_7m2k…`."""
    said = [fact.seq, fact.actor, fact.source, fact.kind, fact.version, fact.service, fact.subject_type]
    said += [fact.subject_id, fact.trace_id, dict(fact.data)]
    digest = sha256(json.dumps(said, sort_keys=True, ensure_ascii=False).encode("utf-8", "surrogatepass")).digest()
    tail = _text(int.from_bytes(digest[:9], "big"))
    return f"{_PREFIX}_{_text(to_unix_nano(fact.at) // 1_000 ^ _mask(tail))}{tail}"


def fact_of(session: Session, mark: str) -> Fact:
    """The fact of an id. Raises FactNotFound."""
    found = fact_or_none(session, mark)
    if found is not None:
        return found
    raise FactNotFound("There is no such fact on this timeline.")


def fact_or_none(session: Session, mark: str) -> Fact | None:
    """The same; None for an id of nothing."""
    return next((fact for fact in _at_the_instant_of(session, mark) if mark_of(fact) == mark), None)


def _at_the_instant_of(session: Session, mark: str) -> list[Fact]:
    if not is_id(mark, _PREFIX):
        return []
    head, tail = mark[len(_PREFIX) + 1 :][:_HALF], mark[-_HALF:]
    micros = _number(head) ^ _mask(tail)
    if micros >= _INSTANTS:
        return []
    at = from_unix_nano(micros * 1_000)
    wanted = FactFilter(since=at, until=at + timedelta(microseconds=1))
    found: list[Fact] = []
    # One apply writes many facts at one instant.
    while page := read_facts(session, wanted, limit=_PAGE, newest_first=False):
        found += page
        wanted = replace(wanted, after_seq=page[-1].seq)
    return found


def _mask(tail: str) -> int:
    return int.from_bytes(sha256(f"timeline {tail}".encode()).digest()[:8], "big")


def _text(number: int) -> str:
    return "".join(_ALPHABET[number >> shift & 31] for shift in range((_HALF - 1) * 5, -1, -5))


def _number(text: str) -> int:
    number = 0
    for character in text:
        number = number << 5 | _ALPHABET.index(character)
    return number
