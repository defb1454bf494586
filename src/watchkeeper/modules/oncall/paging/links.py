"""Links that acknowledge a page. None is stored: each follows from the key and the page, and opens nothing else."""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass

from watchkeeper.kernel.ids import is_id
from watchkeeper.kernel.keys import InstallationKey

# Begins like every secret of ours, so that logs hide it.
_PREFIX = "wka_"
_MAC = 24


@dataclass(frozen=True)
class Links:
    """Makes and reads them."""

    key: InstallationKey
    base_url: str

    def url_of(self, page_id: str) -> str:
        """The address of the confirmation."""
        return f"{self.base_url}/ack/{self.secret_of(page_id)}"

    def secret_of(self, page_id: str) -> str:
        """What the address ends with."""
        return f"{_PREFIX}{page_id.removeprefix('pag_')}-{self._mac(page_id)}"

    def page_of(self, secret: str) -> str | None:
        """The page that a secret opens; None for anything else, in the same time."""
        name, _, mac = secret.removeprefix(_PREFIX).partition("-")
        page_id = f"pag_{name}"
        right = hmac.compare_digest(mac.encode(), self._mac(page_id).encode())
        return page_id if right and is_id(page_id, "pag") and secret.startswith(_PREFIX) else None

    def code_of(self, page_id: str, contact_id: str) -> str:
        """Six digits that answer a page from one contact: good for no other page, and from no other number."""
        said = f"{page_id}:{contact_id}".encode()
        made = hmac.new(self.key.derive("oncall.reply"), said, hashlib.sha256).digest()
        return f"{int.from_bytes(made[:8], 'big') % 1_000_000:06d}"

    def is_code(self, said: str, page_id: str, contact_id: str) -> bool:
        """Compared in the same time whatever is wrong."""
        return hmac.compare_digest(said.encode(), self.code_of(page_id, contact_id).encode())

    def phone_url_of(self, page_id: str) -> str:
        """Where a key that is pressed during a call goes."""
        return f"{self.base_url}/integrations/twilio/voice/{self.secret_of(page_id)}"

    def _mac(self, page_id: str) -> str:
        made = hmac.new(self.key.derive("oncall.acknowledge"), page_id.encode(), hashlib.sha256).digest()
        return base64.urlsafe_b64encode(made[:_MAC]).decode().replace("-", "0")
