"""Whom a member is to be offered."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Wish:
    """How many offers, nobody who was offered since `again`, from where, how far in age, and how like the member."""

    count: int
    again: float = 0.0
    everywhere: bool = False
    younger: int = -100
    older: int = 100
    least_shared: int = 0

    def asked(self, user_id: str) -> dict[str, object]:
        """As values of a query."""
        return {"me": user_id, **vars(self)}
