"""A report as an e-mail: HTML with its styles inline, for mail programs know no others, and the same as plain text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from textwrap import wrap

from watchkeeper.modules.slo.reports.blocks import Bar, Block, Heading, Sheet, Steps, Words
from watchkeeper.modules.slo.reports.content import Report
from watchkeeper.modules.slo.reports.words import document, short

_COLOURS = {"ok": "#1a7f4b", "warning": "#9a5b00", "danger": "#b42318", "muted": "#5b6470"}
_GROUNDS = {"ok": "#e9f7ef", "warning": "#fff4e0", "danger": "#fdecea", "muted": "#f1f3f5"}
_FONT = "font-family:Arial,Helvetica,sans-serif"
_WIDTH = 76
_MOST = 90_000


def in_full_or_short(report: Report) -> list[Block]:
    """All of a report, as long as mail programs show it whole: they cut off what is beyond 100 kB."""
    blocks = document(report)
    return blocks if len(mail_html(blocks)) <= _MOST else short(report)


def mail_html(blocks: Sequence[Block], address: str | None = None) -> str:
    """A whole message; `address` is where the report can be looked at."""
    title = next((one.text for one in blocks if isinstance(one, Heading)), "Report")
    link = ""
    if address:
        anchor = f'<a style="color:#1a56b0" href="{escape(address)}">Look at it in Watchkeeper</a>'
        link = f'<p style="margin:0 0 12px">{anchor}</p>'
    body = "".join(_html(one) for one in blocks)
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(title)}</title></head>"
        f'<body style="margin:0;padding:16px;background:#ffffff;color:#1c2430;font-size:14px;line-height:1.45;{_FONT}">'
        f'<div style="max-width:820px;margin:0 auto">{body}{link}</div></body></html>'
    )


def mail_text(blocks: Sequence[Block], address: str | None = None) -> str:
    """The same for who reads plain text."""
    lines = [line for one in blocks for line in _text(one)]
    if address:
        lines += ["", f"Look at it in Watchkeeper: {address}"]
    return "\n".join(lines).strip() + "\n"


def _html(block: Block) -> str:
    if isinstance(block, Heading):
        size, space = {1: (24, 0), 2: (18, 28), 3: (15, 18)}[block.level]
        return (
            f'<h{block.level} style="font-size:{size}px;margin:{space}px 0 8px;{_FONT}">{escape(block.text)}'
            f"</h{block.level}>"
        )
    if isinstance(block, Words):
        if block.tone is None:
            return f'<p style="margin:0 0 8px">{escape(block.text)}</p>'
        style = f"background:{_GROUNDS[block.tone]};color:{_COLOURS[block.tone]};padding:8px 12px;margin:0 0 12px"
        return f'<p style="{style}">{escape(block.text)}</p>'
    if isinstance(block, Bar):
        return _html_bar(block)
    if isinstance(block, Steps):
        items = "".join(f'<li style="margin:0 0 2px">{escape(line)}</li>' for line in block.lines)
        return f'<ol style="margin:0 0 12px;padding-left:24px">{items}</ol>'
    return _html_table(block)


def _html_bar(bar: Bar) -> str:
    # A table: mail programs ignore the sizes of anything else.
    full = max(0, min(100, round(bar.share * 100)))
    colour = _COLOURS[bar.tone]
    cells = "".join(
        f'<td style="width:{width}%;height:10px;line-height:10px;font-size:1px;background:{ground}">&nbsp;</td>'
        for width, ground in ((full, colour), (100 - full, "#dfe3e8"))
        if width
    )
    return (
        '<table role="presentation" style="width:100%;border-collapse:collapse;margin:0 0 4px">'
        f"<tr>{cells}</tr></table>"
        f'<p style="margin:0 0 12px;color:{colour}">{escape(bar.text)}</p>'
    )


def _html_table(sheet: Sheet) -> str:
    def cells(row: Iterable[str], tag: str, style: str) -> str:
        return "".join(
            f'<{tag} style="{style};text-align:{"right" if column in sheet.right else "left"}">{escape(cell)}</{tag}>'
            for column, cell in enumerate(row)
        )

    head = cells(sheet.header, "th", "padding:4px 8px;border-bottom:2px solid #c3c9d1;font-size:12px;color:#5b6470")
    body = "".join(
        f"<tr>{cells(row, 'td', 'padding:4px 8px;border-bottom:1px solid #e4e7eb;vertical-align:top')}</tr>"
        for row in sheet.rows
    )
    # On a phone a wide table is pushed sideways, not the whole message.
    return (
        '<div style="overflow-x:auto;margin:0 0 12px">'
        '<table style="width:100%;border-collapse:collapse;font-size:13px">'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _text(block: Block) -> list[str]:
    if isinstance(block, Heading):
        under = {1: "=", 2: "-", 3: ""}[block.level]
        return ["", block.text, *([under * min(_WIDTH, len(block.text))] if under else [])]
    if isinstance(block, Words):
        mark = "! " if block.tone in ("warning", "danger") else ""
        return wrap(mark + block.text, _WIDTH) or [""]
    if isinstance(block, Bar):
        full = max(0, min(20, round(block.share * 20)))
        return [f"[{'#' * full}{'.' * (20 - full)}] {block.text}"]
    if isinstance(block, Steps):
        return [f"  {number}. {line}" for number, line in enumerate(block.lines, 1)]
    return _text_table(block)


def _text_table(sheet: Sheet) -> list[str]:
    """Columns side by side where they fit, else one line for each cell."""
    widths = [max(len(row[column]) for row in (sheet.header, *sheet.rows)) for column in range(len(sheet.header))]
    if sum(widths) + 2 * (len(widths) - 1) > 100:
        lines = []
        for row in sheet.rows:
            lines.append(f"- {row[0]}")
            lines += [f"    {name}: {cell}" for name, cell in zip(sheet.header[1:], row[1:], strict=True) if cell]
        return lines
    return [
        "  ".join(
            cell.rjust(width) if column in sheet.right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in (sheet.header, *sheet.rows)
    ]
