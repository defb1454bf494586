"""`watchkeeper demo incident`: the whole of it on a demo that runs, from the bad release to the postmortem's draft."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from watchkeeper.app.console import CommandRefused, out, refusals_end_the_command

if TYPE_CHECKING:
    from watchkeeper.app.demo_story import Chapter, Story

_LONGEST = 600.0
_EVERY = 1.0


def incident(
    undo: Annotated[
        bool | None,
        typer.Option(
            "--undo/--by-hand",
            help="Undo what is named first and resolve the incident, or leave both to you in the console.",
            show_default="asks",
        ),
    ] = None,
    product: Annotated[Path, typer.Option(help="Directory of the sample product.")] = Path("examples/duet"),
    data: Annotated[Path, typer.Option(help="Where the demo keeps everything.")] = Path("watchkeeper-data/demo"),
) -> None:
    """Deploy a bad release into the demo that runs, and follow it to page, suspect, undo and postmortem."""
    with refusals_end_the_command():
        run(data.absolute(), product.absolute(), undo)


def run(data: Path, product: Path, undo: bool | None) -> None:
    """Tell each chapter when it happens. Raises CommandRefused when one does not within ten minutes."""
    from watchkeeper.app.configuration import load_configuration
    from watchkeeper.app.demo_story import Story, deploy, plot_of
    from watchkeeper.app.local import connect
    from watchkeeper.kernel.clock import SystemClock
    from watchkeeper.kernel.db.lock import read_running

    plot, clock = plot_of(product), SystemClock()
    if plot is None:
        raise CommandRefused(f"{product} has no story to tell: there is no story.yaml in it.")
    running = read_running(data) if data.exists() else None
    if running is None:
        raise CommandRefused(f"no demo runs with its data in {data}.", "Start one first: watchkeeper demo")
    with connect(load_configuration({}, data=data)) as client:
        story = Story(client, clock, plot, clock.now())
        out.print(f"   0 s  {plot.title}: {plot.says}", markup=False)
        deploy(product, data, plot)
        _follow(story, running.url, undo)


def _follow(story: Story, url: str, undo: bool | None) -> None:
    began, told = story.clock.monotonic(), 0
    while story.clock.monotonic() - began < _LONGEST:
        chapters = story.chapters()
        for one in chapters[told:]:
            _tell(story, one, url)
            if one.name == "suspect" and _undoes(undo):
                out.print(f"        {story.undo()}", markup=False)
            if one.name == "recovered" and undo is not False:
                story.resolve()
        told = len(chapters)
        if story.has("postmortem"):
            return
        time.sleep(_EVERY)
    from watchkeeper.app.demo_story import WORDS

    missing = next(words for name, words in WORDS.items() if not story.has(name))
    raise CommandRefused(f"after {_LONGEST / 60:.0f} minutes it is not so that: {missing}.")


def _tell(story: Story, one: Chapter, url: str) -> None:
    from watchkeeper.app.demo_story import WORDS

    seconds = (one.at - story.since).total_seconds()
    out.print(f"{seconds:4.0f} s  {WORDS[one.name]}: {one.text}  {url}{one.href}", markup=False, soft_wrap=True)


def _undoes(undo: bool | None) -> bool:
    return typer.confirm("        Undo it now?", default=True) if undo is None else undo


def add_to(group: Any) -> None:
    """Register the command below `demo`."""
    group.command("incident")(incident)
