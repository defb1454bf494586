"""What of notifications is sealed with the installation's key: addresses of people, and secrets of channels."""

from __future__ import annotations

import json
from collections.abc import Mapping

from watchkeeper.kernel.keys import InstallationKey

_ADDRESSES, _SECRETS = "notify.addresses", "notify.secrets"


def seal_address(key: InstallationKey, contact_id: str, address: str) -> str:
    return key.seal(address, purpose=_ADDRESSES, bound_to=contact_id)


def address_of(key: InstallationKey, contact_id: str, sealed: str) -> str:
    """Raises KeyUnusable."""
    return key.open(sealed, purpose=_ADDRESSES, bound_to=contact_id)


def seal_secrets(key: InstallationKey, channel_id: str, secrets: Mapping[str, str]) -> str | None:
    return key.seal(json.dumps(dict(secrets)), purpose=_SECRETS, bound_to=channel_id) if secrets else None


def secrets_of(key: InstallationKey, channel_id: str, sealed: str | None) -> dict[str, str]:
    """Raises KeyUnusable."""
    if sealed is None:
        return {}
    found: dict[str, str] = json.loads(key.open(sealed, purpose=_SECRETS, bound_to=channel_id))
    return found
