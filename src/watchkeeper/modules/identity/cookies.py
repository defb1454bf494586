"""The cookies of a browser: its session, and what it has begun."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from starlette.responses import Response

CHALLENGE_LIVES = timedelta(minutes=5)


@dataclass(frozen=True)
class SessionCookie:
    """`wk_session`, or `__Host-wk_session` where the console is reached by https."""

    secure: bool
    life: timedelta

    @classmethod
    def for_base_url(cls, base_url: str | None, life: timedelta) -> SessionCookie:
        return cls(secure=(base_url or "").lower().startswith("https://"), life=life)

    @property
    def name(self) -> str:
        # The prefix makes browsers refuse the cookie from a sub-domain, a path, or plain http.
        return "__Host-wk_session" if self.secure else "wk_session"

    @property
    def half_name(self) -> str:
        """The cookie of a sign-in whose second factor is to follow."""
        return "__Host-wk_half" if self.secure else "wk_half"

    @property
    def passkey_name(self) -> str:
        """The cookie of a passkey's challenge: another one, so that a code still helps whoever gives up on it."""
        return "__Host-wk_passkey" if self.secure else "wk_passkey"

    def give_begun(self, response: Response, name: str, secret: str) -> None:
        """Remember for 5 minutes what this browser has begun."""
        life = int(CHALLENGE_LIVES.total_seconds())
        response.set_cookie(name, secret, max_age=life, path="/", secure=self.secure, httponly=True, samesite="lax")

    def take_begun(self, response: Response) -> None:
        """Forget whatever this browser has begun."""
        for name in (self.half_name, self.passkey_name):
            response.delete_cookie(name, path="/", secure=self.secure, httponly=True, samesite="lax")

    def give(self, response: Response, secret: str) -> None:
        response.set_cookie(
            self.name,
            secret,
            max_age=int(self.life.total_seconds()),
            path="/",
            secure=self.secure,
            httponly=True,
            samesite="lax",
        )

    def take(self, response: Response) -> None:
        response.delete_cookie(self.name, path="/", secure=self.secure, httponly=True, samesite="lax")
