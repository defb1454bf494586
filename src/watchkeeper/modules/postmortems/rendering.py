"""Markdown as it is shown and taken away. What people write may hold HTML, which is shown as text and never runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup, escape

from watchkeeper.modules.postmortems.drafting import one_line, words_of
from watchkeeper.modules.postmortems.model import TITLES, ActionItem, Moment, Postmortem, Section, SectionText

# The page has its own first two levels.
_DEMOTE = 2
_LONGEST = 60_000
_BESIDE = ThreadPoolExecutor(1, thread_name_prefix="postmortem-words")


@lru_cache(maxsize=1)
def _markdown() -> MarkdownIt:
    # No HTML, and no pictures: one from elsewhere would tell its owner who reads this, and when.
    made = MarkdownIt("commonmark", {"html": False, "linkify": False}).enable(["table", "strikethrough"])
    return made.disable("image")


@lru_cache(maxsize=64)
def html_of(text: str) -> Markup:
    """As HTML without anything that runs or loads. Longer than any section may be, it is shown as it was written."""
    if len(text) > _LONGEST:
        return Markup("<pre>{}</pre>").format(text)
    parser = _markdown()
    tokens = parser.parse(text)
    _soften(tokens)
    return Markup(parser.renderer.render(tokens, parser.options, {}))  # noqa: S704 # nosec B704 (html=False)


async def html_beside(texts: Iterable[str]) -> Callable[[str], Markup]:
    """`html_of` for these texts, and no others: made beside the event loop, one reader's after the other's, since fifty
    thousand characters can take a second, and pages of whoever is on call must not wait for that."""

    def make() -> dict[str, Markup]:
        return {text: html_of(text) for text in texts}

    made = await asyncio.wrap_future(_BESIDE.submit(make))
    return made.__getitem__


def _soften(tokens: Sequence[Token]) -> None:
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(6, int(token.tag[1]) + _DEMOTE)}"
        elif token.type == "link_open":
            token.attrSet("rel", "noopener noreferrer nofollow")
        elif token.type == "table_open":
            token.attrSet("class", "wk-table")
        elif token.type in ("th_open", "td_open") and "style" in token.attrs:
            # The content policy allows no inline style; numbers stand to the right by a class.
            right = "right" in str(token.attrs.pop("style"))
            token.attrSet("class", "wp-right" if right else "")
        if token.children:
            _soften(token.children)


def as_markdown(
    one: Postmortem,
    texts: Mapping[Section, SectionText],
    moments: Sequence[Moment],
    actions: Sequence[ActionItem],
    names: Mapping[str, str],
) -> str:
    """All of a postmortem as one document. `names` are people's by their ids."""
    measures = one.measures
    drill = " (drill)" if one.drill else ""
    lines = [
        f"# {one_line(one.title)}{drill}",
        "",
        f"- Incident: {one.name}",
        f"- Severity: {one.severity}",
        f"- Services: {', '.join(one.services) or 'none'}",
        f"- Began: {measures.started_at:%Y-%m-%d %H:%M} UTC",
        f"- Detected after {words_of(measures.to_detect)}, acknowledged after {words_of(measures.to_acknowledge)}, "
        f"resolved after {words_of(measures.to_resolve)}",
        f"- State: {one.state.value.replace('_', ' ')}",
    ]
    if one.themes:
        lines.append(f"- Themes: {', '.join(one.themes)}")
    for name in (Section.SUMMARY, Section.IMPACT):
        lines += _section(name, texts)
    lines += ["", "## Timeline", ""]
    lines += [
        f"- {moment.at:%Y-%m-%d %H:%M:%S} UTC: {one_line(moment.text)}" for moment in moments if not moment.hidden
    ]
    for name in (Section.DETECTION, Section.HELPED, Section.CAUSES):
        lines += _section(name, texts)
    lines += ["", "## Actions", ""]
    lines += [_action(action, names) for action in actions] or ["None yet."]
    return "\n".join(lines) + "\n"


def _section(name: Section, texts: Mapping[Section, SectionText]) -> list[str]:
    text = texts[name].text.strip() if name in texts else ""
    return ["", f"## {TITLES[name]}", "", text or "Nothing yet."]


def _action(one: ActionItem, names: Mapping[str, str]) -> str:
    box = "x" if one.state.is_over else " "
    owner = names.get(one.owner, one.owner) if one.owner else "nobody yet"
    due = f", due {one.due_on.isoformat()}" if one.due_on else ""
    issue = f", {one.issue.url}" if one.issue.url else ""
    state = one.state.value.replace("_", " ")
    return f"- [{box}] {one_line(one.title)} ({owner}{due}, {one.priority.value}, {state}{issue})"


def marked(text: str, findings: Sequence[Any]) -> Markup:
    """A text with its blaming phrases marked, as HTML; `findings` are in the order of the text."""
    parts, at = [], 0
    for one in findings:
        parts += [escape(text[at : one.offset]), Markup("<mark>{}</mark>").format(text[one.offset : one.end])]
        at = one.end
    return Markup("").join([*parts, escape(text[at:])])
