"""What other modules show on the home page and on a service's page."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from starlette.requests import Request


@dataclass(frozen=True)
class Block:
    """A piece of a page: HTML that a template has escaped. `urgent` are words for the page's heading, empty when
    nothing needs a look."""

    html: str
    urgent: str = ""


class BlockSource(Protocol):
    """Modules above implement it; `app` registers it. None where there is nothing to show to this actor."""

    async def of_home(self, request: Request) -> Block | None:
        """For the home page: only what needs a look."""
        ...

    async def of_service(self, request: Request, service: str) -> Block | None:
        """For the page of a service."""
        ...


@dataclass(frozen=True)
class Blocks:
    """The part that lists all sources of blocks."""

    sources: Sequence[BlockSource] = ()

    async def of_home(self, request: Request) -> list[Block]:
        """Every block of the home page."""
        found = await asyncio.gather(*(one.of_home(request) for one in self.sources))
        return [one for one in found if one is not None]

    async def of_service(self, request: Request, service: str) -> list[Block]:
        """Every block of a service's page."""
        found = await asyncio.gather(*(one.of_service(request, service) for one in self.sources))
        return [one for one in found if one is not None]
