"""The command line's key to the server on the same machine: whoever may read the data directory may operate it."""

from __future__ import annotations

import hmac
import os
from dataclasses import dataclass, field
from pathlib import Path

from watchkeeper.kernel.ids import new_secret
from watchkeeper.kernel.web.access import Actor, Scope
from watchkeeper.modules.identity.model import CONTROL_PREFIX

FILE = "control.token"
LOCAL = Actor(id="local", kind="local", name="Command line", scopes=frozenset({Scope.ADMIN}))


@dataclass(frozen=True)
class ControlToken:
    """The secret of one run of the server."""

    secret: str = field(repr=False)

    @classmethod
    def create(cls, data: Path) -> ControlToken:
        """A fresh secret in `<data>/control.token`, readable by this user only. The one of an earlier start dies."""
        token = cls(new_secret(CONTROL_PREFIX))
        fresh = data / f".{FILE}.new"
        fresh.unlink(missing_ok=True)
        # O_EXCL and the mode in the same call: at no instant can another user read it or slip a link under it.
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(token.secret)
        fresh.replace(data / FILE)
        return token

    @classmethod
    def read(cls, data: Path) -> ControlToken | None:
        """The secret of the server that runs on this data directory; None when none was started yet."""
        try:
            return cls((data / FILE).read_text(encoding="ascii").strip())
        except FileNotFoundError:
            return None

    def fits(self, offered: str) -> bool:
        """Compare in a time that does not tell how much of `offered` is right."""
        return hmac.compare_digest(self.secret.encode(), offered.encode("utf-8", "surrogatepass"))
