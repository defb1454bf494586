"""Whether the addresses of the web that runbooks name lead anywhere: asked only by a command that says so."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Literal

from watchkeeper.kernel.errors import Refusal
from watchkeeper.kernel.outbound import DeliveryFailed, Outbound
from watchkeeper.modules.runbooks.public import Content, Problem

_SCHEMES = ("https://", "http://")
_GONE = (404, 410)
_AT_ONCE = 8
_MOST = 500


@dataclass
class Links:
    """Asks each address once, where `outbound` lets requests go. Nothing of an answer is read but its status."""

    outbound: Outbound
    _known: dict[str, tuple[Literal["error", "warning"], str] | None] = field(default_factory=dict)

    def problems(self, content: Content, file: str) -> list[Problem]:
        """Addresses that are gone (an error), and those of which that can't be said (a warning)."""
        places = list(self._places(content))
        new = list(dict.fromkeys(url for url, _, _ in places if url not in self._known))
        room = max(0, _MOST - len(self._known))
        self._known |= dict.fromkeys(new[room:], ("warning", f"was not asked: only {_MOST} are"))
        with ThreadPoolExecutor(_AT_ONCE) as threads:
            self._known |= zip(new[:room], threads.map(self._look, new[:room]), strict=True)
        found = []
        for url, line, column in places:
            wrong = self._known[url]
            if wrong is not None:
                code = "link-dead" if wrong[0] == "error" else "link-unknown"
                text = f"expected an address that answers, found {url}, which {wrong[1]}"
                found.append(Problem(code, text, file, line, column, wrong[0]))
        return found

    def _places(self, content: Content) -> Iterator[tuple[str, int, int]]:
        for link in content.links:
            if link.target.startswith(_SCHEMES):
                yield link.target.partition("#")[0], link.line, 1
        for number, one in enumerate(content.dashboards):
            if one.url.startswith(_SCHEMES):
                line, column = content.places.get(f"dashboards.{number}.url", (1, 1))
                yield one.url.partition("#")[0], line, column

    def _look(self, url: str) -> tuple[Literal["error", "warning"], str] | None:
        try:
            status = self._status(url, "HEAD")
            # Some servers know no HEAD.
            if status in (405, 501):
                status = self._status(url, "GET")
        except DeliveryFailed as failed:
            return "warning", f"can't be asked from here: {failed}"
        except Refusal as refusal:
            return "warning", f"is not asked: {refusal.detail}"
        if status in _GONE:
            return "error", f"answered {status}"
        # Whoever has to sign in first, or is sent elsewhere, was answered by somebody who knows the page.
        return ("warning", f"answered {status}") if status >= 500 else None

    def _status(self, url: str, method: str) -> int:
        return self.outbound.ask(url, method=method, largest=1).status
