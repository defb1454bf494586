"""The page of the demo: one button that breaks the sample product, and how far Watchkeeper is with it since then."""

# Annotations are kept as objects for FastAPI.
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import structlog
from fastapi import Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse, Response

from watchkeeper.app.configuration import Configuration
from watchkeeper.app.console import CommandRefused
from watchkeeper.app.demo_story import WORDS, Chapter, Plot, Story, deploy
from watchkeeper.app.local import connect
from watchkeeper.app.server import Watchkeeper
from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.web.access import Actor, Permission, Scope, requires
from watchkeeper.kernel.web.pages import NavItem, Pages, render
from watchkeeper.kernel.web.parts import part
from watchkeeper.kernel.web.wire import page_router

DIRECT = Permission("app.direct_demo", Scope.WRITE)
NAV = NavItem("Demo", "/demo", "warning", order=1, permission=DIRECT)
router = page_router()
_log = structlog.get_logger("watchkeeper.demo")


@dataclass
class Stage:
    """What is played, and how far it is. One play at a time."""

    configuration: Configuration
    clock: Clock
    product: Path
    plot: Plot
    story: Story | None = None
    failed: str = ""
    _deploying: threading.Lock = field(default_factory=threading.Lock)
    _telling: threading.Lock = field(default_factory=threading.Lock)

    def begin(self) -> None:
        """Deploy the bad release, or say in `failed` why not; a second press while that goes on does nothing."""
        if not self._deploying.acquire(blocking=False):
            return
        try:
            self.failed = ""
            since = self.clock.now()
            deploy(self.product, self.configuration.server.data, self.plot)
            self.story = Story(None, self.clock, self.plot, since)
        except CommandRefused as refusal:
            self.failed = " ".join(refusal.lines)
            _log.warning("the sample product did not take the release", reason=self.failed)
        finally:
            self._deploying.release()

    def chapters(self) -> list[Chapter]:
        """What has happened since the button was pressed."""
        if self.story is None:
            return []
        # One at a time: two windows would close each other's client.
        with self._telling, connect(self.configuration) as client:
            self.story.client = client
            return self.story.chapters()


def put_on(watchkeeper: Watchkeeper, product: Path, plot: Plot) -> None:
    """Have the page in a server that was made already."""
    parts = watchkeeper.app.state.parts
    parts.add(Stage, Stage(watchkeeper.configuration, watchkeeper.clock, product, plot))
    pages = parts[Pages]
    pages.nav = tuple(sorted((*pages.nav, NAV), key=lambda item: (item.order, item.label)))
    watchkeeper.app.include_router(router)


@router.get("/demo")
async def demo(
    who: Annotated[Actor, requires(DIRECT)], request: Request, stage: Annotated[Stage, part(Stage)]
) -> Response:
    """What can be broken, or what came of it."""
    chapters = await run_in_threadpool(stage.chapters)
    shown = [(WORDS[one.name], one, _seconds(stage, one)) for one in chapters]
    waiting = next((words for name, words in WORDS.items() if name not in {one.name for one in chapters}), None)
    return render(request, "app/demo.html", stage=stage, chapters=shown, waiting=waiting)


@router.post("/demo")
async def begin(who: Annotated[Actor, requires(DIRECT)], stage: Annotated[Stage, part(Stage)]) -> Response:
    """Break it."""
    await run_in_threadpool(stage.begin)
    return RedirectResponse("/demo", status_code=303)


def _seconds(stage: Stage, one: Chapter) -> float:
    return (one.at - stage.story.since).total_seconds() if stage.story is not None else 0.0
