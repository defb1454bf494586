"""How much of their sessions members were connected. Pure: time is an argument, in seconds of any one clock."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class _Session:
    lines: int = 0
    since: float = 0.0  # until when it was counted while connected
    dropped_at: float | None = None


@dataclass
class Connections:
    """Sessions that have, or shortly had, a connection.

    A gap counts as soon as the member is back, within `patience` seconds. Who does not come back, or signs out, has
    gone: that is no failure of the connection.
    """

    patience: float
    _sessions: dict[str, _Session] = field(default_factory=dict)
    _connected: float = 0.0
    _gaps: float = 0.0

    def opened(self, session: str, now: float) -> None:
        """One more connection of the session."""
        one = self._sessions.setdefault(session, _Session())
        if one.dropped_at is not None and now - one.dropped_at <= self.patience:
            self._gaps += now - one.dropped_at
        if not one.lines:
            one.since, one.dropped_at = now, None
        one.lines += 1

    def closed(self, session: str, now: float) -> None:
        """One fewer; after the session's end too."""
        one = self._sessions.get(session)
        if one is None or not one.lines:
            return
        one.lines -= 1
        if not one.lines:
            self._connected += now - one.since
            one.dropped_at = now

    def ended(self, session: str, now: float) -> None:
        """The member signed out."""
        one = self._sessions.pop(session, None)
        if one is not None and one.lines:
            self._connected += now - one.since

    def counted(self, now: float) -> tuple[float, float]:
        """Seconds since the last call in which sessions were connected, and in which they lasted."""
        for name, one in list(self._sessions.items()):
            if one.lines:
                self._connected += now - one.since
                one.since = now
            elif one.dropped_at is not None and now - one.dropped_at > self.patience:
                del self._sessions[name]
        connected, lasted = self._connected, self._connected + self._gaps
        self._connected = self._gaps = 0.0
        return connected, lasted
