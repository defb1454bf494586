"""Sheets of A4 that fill from top to bottom: words, bars, tables. No word of reports is here.

The fonts are those that every reader of PDF has (Helvetica); what they can't show becomes a question mark.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pydyf

WIDTH, HEIGHT = 595.0, 842.0  # A4, in points
MARGIN = 48.0
INNER = WIDTH - 2 * MARGIN
_BOTTOM = 60.0
_LEADING = 1.35
_PAD = 4.0
Colour = tuple[float, float, float]
INK: Colour = (0.11, 0.14, 0.19)
_FAINT: Colour = (0.87, 0.89, 0.91)

# Widths of Helvetica's glyphs from the space to the tilde, in thousandths of the size (Adobe's font metrics).
_GLYPHS = (
    278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278, 556, 556, 556, 556, 556, 556, 556,
    556, 556, 556, 278, 278, 584, 584, 584, 556, 1015, 667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667, 556, 833,
    722, 778, 667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469, 556, 333, 556, 556, 500, 556,
    556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556, 556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334,
    260, 334, 584,
)  # fmt: skip
_OTHERS = 600  # accented letters and the like: wide enough
_BOLDER = 1.07


def text_width(text: str, size: float, *, bold: bool = False) -> float:
    """How wide it is, in points."""
    units = sum(_GLYPHS[ord(one) - 32] if 32 <= ord(one) < 127 else _OTHERS for one in text)
    return units / 1000 * size * (_BOLDER if bold else 1)


def wrapped(text: str, size: float, width: float, *, bold: bool = False) -> list[str]:
    """Lines no wider than `width`; a word that is too long is broken."""
    lines, line = [], ""
    for word in text.split() or [""]:
        rest = word
        while text_width(rest, size, bold=bold) > width:
            fits = next(n for n in range(len(rest), 0, -1) if n == 1 or text_width(rest[:n], size, bold=bold) <= width)
            if line:
                lines.append(line)
                line = ""
            lines.append(rest[:fits])
            rest = rest[fits:]
        longer = f"{line} {rest}".strip()
        if line and text_width(longer, size, bold=bold) > width:
            lines.append(line)
            longer = rest
        line = longer
    return [*lines, line]


@dataclass
class Paper:
    """Pages in the making; `y` is where the next thing begins, counted from the bottom as PDF does."""

    title: str
    made: str
    pages: list[list[bytes]] = field(default_factory=lambda: [[]])
    y: float = HEIGHT - MARGIN

    def need(self, height: float) -> bool:
        """Begin a new page unless so much fits; True when it did."""
        if self.y - height >= _BOTTOM:
            return False
        self.pages.append([])
        self.y = HEIGHT - MARGIN
        return True

    def skip(self, height: float) -> None:
        self.y -= height

    def words(
        self,
        text: str,
        size: float = 9.5,
        *,
        bold: bool = False,
        colour: Colour = INK,
        indent: float = 0,
        keep: float = 0,
    ) -> None:
        """A paragraph; `keep` is how much of what follows has to be on its page."""
        lines = wrapped(text, size, INNER - indent, bold=bold)
        step = size * _LEADING
        self.need(min(len(lines), 4) * step + keep)
        for line in lines:
            self.need(step)
            self.y -= step
            self._show(line, MARGIN + indent, self.y + size * 0.3, size, bold=bold, colour=colour)

    def bar(self, share: float, colour: Colour) -> None:
        """A share as a bar of the page's width."""
        self.need(12)
        self.y -= 10
        self._box(MARGIN, self.y, INNER, 6, _FAINT)
        if share > 0:
            self._box(MARGIN, self.y, INNER * min(1.0, share), 6, colour)

    def table(
        self, header: Sequence[str], rows: Sequence[Sequence[str]], right: frozenset[int], size: float = 8
    ) -> None:
        """Rows whose cells wrap; the header comes again on each page."""
        widths = _column_widths(header, rows, size)
        self._row(header, widths, right, size, bold=True)
        room = HEIGHT - MARGIN - _BOTTOM - _row_height(header, widths, size, bold=True) - 5
        for row in (part for one in rows for part in _in_parts(one, widths, size, int(room / (size * _LEADING)))):
            height = _row_height(row, widths, size)
            if self.need(height):
                self._row(header, widths, right, size, bold=True)
            self._row(row, widths, right, size)
        self.y -= 6

    def _row(
        self, cells: Sequence[str], widths: Sequence[float], right: frozenset[int], size: float, *, bold: bool = False
    ) -> None:
        height = _row_height(cells, widths, size, bold=bold)
        self.need(height)
        left = MARGIN
        for column, (cell, width) in enumerate(zip(cells, widths, strict=True)):
            y = self.y
            for line in wrapped(cell, size, width - 2 * _PAD, bold=bold):
                y -= size * _LEADING
                spare = width - 2 * _PAD - text_width(line, size, bold=bold) if column in right else 0
                self._show(line, left + _PAD + spare, y, size, bold=bold)
            left += width
        self.y -= height
        self._box(MARGIN, self.y, INNER, 0.9 if bold else 0.4, (0.6, 0.64, 0.69) if bold else _FAINT)

    def _show(self, text: str, x: float, y: float, size: float, *, bold: bool = False, colour: Colour = INK) -> None:
        shown = text.encode("cp1252", "replace").hex().encode("ascii")
        font = b"B" if bold else b"R"
        red, green, blue = colour
        self.pages[-1].append(
            f"BT {red:.3f} {green:.3f} {blue:.3f} rg /".encode()
            + font
            + f" {size:g} Tf {x:.2f} {y:.2f} Td <".encode()
            + shown
            + b"> Tj ET"
        )

    def _box(self, x: float, y: float, width: float, height: float, colour: Colour) -> None:
        red, green, blue = colour
        self.pages[-1].append(
            f"{red:.3f} {green:.3f} {blue:.3f} rg {x:.2f} {y:.2f} {width:.2f} {height:.2f} re f".encode()
        )

    def pdf(self) -> bytes:
        """The whole document; the same bytes for the same content."""
        document: Any = pydyf.PDF()
        fonts = {}
        for name, base in (("R", "Helvetica"), ("B", "Helvetica-Bold")):
            font = pydyf.Dictionary(
                {"Type": "/Font", "Subtype": "/Type1", "BaseFont": f"/{base}", "Encoding": "/WinAnsiEncoding"}
            )
            document.add_object(font)
            fonts[name] = font.reference
        most = len(self.pages)
        for number, drawn in enumerate(self.pages, 1):
            last, self.pages[-1] = self.pages[-1], list(drawn)
            self._show(f"{self.title}, {self.made}", MARGIN, 32, 7.5, colour=(0.4, 0.44, 0.5))
            place = f"{number} of {most}"
            self._show(place, WIDTH - MARGIN - text_width(place, 7.5), 32, 7.5, colour=(0.4, 0.44, 0.5))
            footed, self.pages[-1] = self.pages[-1], last
            stream = pydyf.Stream(footed, compress=True)
            document.add_object(stream)
            page = {
                "Type": "/Page",
                "Parent": document.pages.reference,
                "MediaBox": pydyf.Array([0, 0, int(WIDTH), int(HEIGHT)]),
                "Contents": stream.reference,
                "Resources": pydyf.Dictionary({"Font": pydyf.Dictionary(fonts)}),
            }
            document.add_page(pydyf.Dictionary(page))
        document.info["Title"] = pydyf.String(self.title)
        document.info["Producer"] = pydyf.String("Watchkeeper")
        document.catalog["Lang"] = pydyf.String("en")
        written = io.BytesIO()
        document.write(written)
        return written.getvalue()


def _row_height(cells: Sequence[str], widths: Sequence[float], size: float, *, bold: bool = False) -> float:
    lines = max(
        len(wrapped(cell, size, width - 2 * _PAD, bold=bold)) for cell, width in zip(cells, widths, strict=True)
    )
    return lines * size * _LEADING + 5


def _in_parts(row: Sequence[str], widths: Sequence[float], size: float, most: int) -> list[Sequence[str]]:
    """The row, in several where a cell has more lines than a page."""
    lines = [wrapped(cell, size, width - 2 * _PAD) for cell, width in zip(row, widths, strict=True)]
    longest = max(len(one) for one in lines)
    if longest <= most:
        return [row]
    return [tuple(" ".join(one[start : start + most]) for one in lines) for start in range(0, longest, most)]


def _column_widths(header: Sequence[str], rows: Sequence[Sequence[str]], size: float) -> list[float]:
    """As wide as their texts want; where that is too much, the wide ones give."""
    wanted = [
        max(text_width(row[column], size, bold=row is header) for row in (header, *rows)) + 2 * _PAD + 2
        for column in range(len(header))
    ]
    if sum(wanted) <= INNER:
        spare = (INNER - sum(wanted)) / len(wanted)
        return [one + spare for one in wanted]
    low, high = 0.0, max(wanted)
    for _ in range(30):
        cap = (low + high) / 2
        low, high = (cap, high) if sum(min(one, cap) for one in wanted) <= INNER else (low, cap)
    capped = [min(one, low) for one in wanted]
    return [one * INNER / sum(capped) for one in capped]
