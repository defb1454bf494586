"""Time zones by the names that people write."""

from __future__ import annotations

from zoneinfo import ZoneInfo


def zone_named(name: object) -> ZoneInfo:
    """The zone of the IANA database. Raises ValueError for whatever is none."""
    try:
        return ZoneInfo(name)  # type: ignore[arg-type]
    except (KeyError, ValueError, TypeError, OSError):
        raise ValueError("a time zone such as Europe/Oslo was expected") from None
