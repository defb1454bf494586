"""Live connections: each is a line on which a member, or the push network for those who have none, is told things."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from typing import Any

from examples.duet.people import PUSH_NETWORK

_MOST_WAITING = 200


class Lines:
    """Who can be told something now."""

    def __init__(self) -> None:
        self._open: dict[str, list[asyncio.Queue[Mapping[str, Any]]]] = defaultdict(list)

    def tell(self, user: str, said: Mapping[str, Any], *, push: bool = False) -> None:
        """On each line of the member; by the push network when there is none, or when `push` says so."""
        network = self._open.get(PUSH_NETWORK.user_id, [])
        mine = self._open.get(user, [])
        for line in (network or mine) if push else (mine or network):
            with suppress(asyncio.QueueFull):  # whoever reads so slowly is told again later
                line.put_nowait(said)

    async def listen(self, user: str, beat: float) -> AsyncIterator[bytes]:
        """What the member is told, as JSON lines; an empty object at the start and every `beat` seconds of silence."""
        line: asyncio.Queue[Mapping[str, Any]] = asyncio.Queue(_MOST_WAITING)
        self._open[user].append(line)
        try:
            said: Mapping[str, Any] = {}
            while True:
                yield json.dumps(said, ensure_ascii=False).encode() + b"\n"
                try:
                    said = await asyncio.wait_for(line.get(), beat)
                except TimeoutError:
                    said = {}
        finally:
            self._open[user].remove(line)
            if not self._open[user]:
                del self._open[user]
