"""The cookie that carries a session's secret."""

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
    def challenge_name(self) -> str:
        """The cookie that finds what this browser has begun: a sign-in half done, a passkey's challenge."""
        return "__Host-wk_challenge" if self.secure else "wk_challenge"

    def give_challenge(self, response: Response, secret: str) -> None:
        response.set_cookie(
            self.challenge_name,
            secret,
            max_age=int(CHALLENGE_LIVES.total_seconds()),
            path="/",
            secure=self.secure,
            httponly=True,
            samesite="lax",
        )

    def take_challenge(self, response: Response) -> None:
        response.delete_cookie(self.challenge_name, path="/", secure=self.secure, httponly=True, samesite="lax")

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
