"""A report as PDF."""

from __future__ import annotations

from watchkeeper.modules.slo.reports.blocks import Bar, Heading, Sheet, Steps, Tone, Words
from watchkeeper.modules.slo.reports.content import Report
from watchkeeper.modules.slo.reports.paper import Colour, Paper
from watchkeeper.modules.slo.reports.words import document

_COLOURS: dict[Tone, Colour] = {
    "ok": (0.10, 0.50, 0.29),
    "warning": (0.60, 0.36, 0.0),
    "danger": (0.71, 0.14, 0.09),
    "muted": (0.36, 0.39, 0.44),
}
_SIZES = {1: 19.0, 2: 13.0, 3: 10.5}


def report_pdf(report: Report) -> bytes:
    """A4, with the same words and numbers as the page."""
    paper = Paper(report.title, f"made {report.made_at:%Y-%m-%d %H:%M} UTC")
    for block in document(report):
        if isinstance(block, Heading):
            paper.skip({1: 0, 2: 14, 3: 8}[block.level])
            paper.words(block.text, _SIZES[block.level], bold=True, keep={1: 60, 2: 110, 3: 60}[block.level])
            paper.skip(3)
        elif isinstance(block, Words):
            paper.words(block.text, colour=_COLOURS[block.tone] if block.tone else (0.11, 0.14, 0.19))
            paper.skip(3)
        elif isinstance(block, Bar):
            paper.bar(block.share, _COLOURS[block.tone])
            paper.words(block.text, colour=_COLOURS[block.tone])
            paper.skip(3)
        elif isinstance(block, Steps):
            for number, line in enumerate(block.lines, 1):
                paper.words(f"{number}.  {line}", 9, indent=10)
            paper.skip(4)
        elif isinstance(block, Sheet):
            paper.table(block.header, block.rows, block.right)
    return paper.pdf()
