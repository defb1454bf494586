"""The parts that a decision is put together from; each is a plain function, because they are asked all the time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from watchkeeper_client.rules.conditions import Attributes, Test
from watchkeeper_client.rules.outcomes import Choice, Decide, Outcome


def always(outcome: Outcome) -> Decide:
    """The same for everybody."""
    return lambda user, attributes: outcome  # noqa: ARG005


def layered(users: Mapping[str, Outcome], segments: Sequence[tuple[Test, Outcome]], otherwise: Decide) -> Decide:
    if not users and len(segments) == 1:
        test, only = segments[0]

        def of_one_segment(user: str | None, attributes: Attributes) -> Outcome:
            return only if test(user, attributes) else otherwise(user, attributes)

        return of_one_segment

    def decide(user: str | None, attributes: Attributes) -> Outcome:
        if user is not None and user in users:
            return users[user]
        for test, one in segments:
            if test(user, attributes):
                return one
        return otherwise(user, attributes)

    return decide


Serve = Outcome | Callable[[str | None], Outcome | None] | None


def ruled(rules: Sequence[tuple[Test, Serve]], last: Serve, fallback: Outcome) -> Decide:
    served = [(test, serve if callable(serve) else None, serve) for test, serve in rules]
    pick = last if callable(last) else None
    plain = last if isinstance(last, Outcome) else fallback
    if not rules and pick is not None:
        return lambda user, attributes: pick(user) or fallback  # noqa: ARG005

    def decide(user: str | None, attributes: Attributes) -> Outcome:
        for test, choose, one in served:
            if test(user, attributes):
                found = choose(user) if choose is not None else one
                if found is not None:
                    return found  # type: ignore[return-value]
        return plain if pick is None else pick(user) or fallback

    return decide


def guarded(
    prerequisites: Sequence[tuple[Outcome | Choice | None, frozenset[str]]], off: Outcome, otherwise: Decide
) -> Decide:
    def decide(user: str | None, attributes: Attributes) -> Outcome:
        for entry, wanted in prerequisites:
            if entry is None:
                return off
            found = entry if isinstance(entry, Outcome) else entry.decide(user, attributes)
            if found.variant not in wanted:
                return off
        return otherwise(user, attributes)

    return decide
