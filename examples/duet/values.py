"""Duet's parameters, as its services read them: from Watchkeeper while there is one, else as ops/parameters.yaml says.

Whatever happens to Watchkeeper, Duet goes on: the client answers from the last values it had, then from its disk, then
with the defaults below.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from watchkeeper_client import Client, Reader
from watchkeeper_client.testing import client_with

_FILE = Path(__file__).parent / "ops" / "parameters.yaml"


class Values:
    """Reads parameters; a member's region, age and plan go along, so that segments can tell them apart."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader

    def __call__(self, key: str, user: str | None = None, **attributes: Any) -> Any:
        """The value for this member. Raises KeyError for a key that ops/parameters.yaml does not have."""
        return self.reader.get(key, defaults()[key], user=user, attributes=attributes)

    def close(self) -> None:
        """Report the last counts and let go."""
        if isinstance(self.reader, Client):
            self.reader.close()


def values_of(service: str, data: Path) -> Values:
    """A service's values: followed live where WATCHKEEPER_URL names a server."""
    if "WATCHKEEPER_URL" not in os.environ:
        return Values(client_with({}))
    return Values(Client(service=f"duet-{service}", cache_dir=data / "configuration"))


@cache
def defaults() -> dict[str, Any]:
    """What holds where nobody says otherwise; of flags, whether they are on."""
    # The pure-Python loader would take a tenth of a second of each start.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    listed = yaml.load(_FILE.read_text(encoding="utf-8"), loader)["parameters"]
    return {one["key"]: one.get("default") == "on" if one["type"] == "flag" else one.get("default") for one in listed}
