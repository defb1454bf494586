"""A runbook's text as HTML: HTML in it is text, links lead to http, https, mailto or this server, steps are marked."""

# ruff: noqa: ARG002 (the library hands each part the same)

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from functools import lru_cache
from html import escape
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markupsafe import Markup

from watchkeeper.modules.runbooks.model import Content, How, Step
from watchkeeper.modules.runbooks.reading import content_of

_LINK = re.compile(r"(https?://|mailto:|/(?!/)|#|[\w.-]+\.md(#|$))", re.IGNORECASE)
_HOW = {How.SHELL: "runs on a runner", How.HTTP: "a request by a runner", How.ACTION: "done by Watchkeeper"}


def html_of(content: Content) -> Markup:
    """The body, without front matter and the heading that repeats the title."""
    return _rendered(content.name, content.text)


@lru_cache(maxsize=256)
def _rendered(name: str, text: str) -> Markup:
    content = content_of(name, text)
    lines = text.removeprefix("\ufeff").splitlines()
    ends = [number for number, line in enumerate(lines) if line.rstrip() == "---"]
    # As many lines before the body as in the file: steps are known by theirs.
    body = "\n".join([*([""] * (ends[1] + 1)), *lines[ends[1] + 1 :]]) if len(ends) > 1 else text
    parser = MarkdownIt("commonmark", {"html": False}, renderer_cls=_Renderer).enable(["table", "strikethrough"])
    environment: dict[str, Any] = {
        "anchors": iter([one.anchor for one in content.sections]),
        "steps": {one.line: one for one in content.steps},
    }
    tokens = _shown(parser.parse(body, environment), content.title)
    # Every character of the text was escaped by the parser, and every tag is one of those it makes.
    return Markup(parser.renderer.render(tokens, parser.options, environment))  # noqa: S704  # nosec B704


def _shown(tokens: list[Token], title: str) -> list[Token]:
    """Without a first heading that repeats the title; boxes of steps that people do look like boxes."""
    for number, token in enumerate(tokens):
        first = token.children[0] if token.children else None
        if first is None or number < 2 or tokens[number - 2].type != "list_item_open":
            continue
        for said, box in (("[ ] ", "\u2610 "), ("[x] ", "\u2611 "), ("[X] ", "\u2611 ")):
            if first.content.startswith(said):
                first.content = box + first.content.removeprefix(said)
                # The box is its bullet.
                tokens[number - 2].attrSet("class", "wr-box")
    repeats = len(tokens) > 2 and tokens[0].tag == "h1" and tokens[1].content.strip() == title.strip()
    if repeats:
        # Its anchor stays, so that links to it and the anchors of those that follow are right.
        tokens[0].hidden = tokens[2].hidden = True
        tokens[1].children = []
    headings = [token for token in tokens if token.type in ("heading_open", "heading_close") and not token.hidden]
    if any(token.tag == "h1" for token in headings):
        # The page's own heading is the title, and there is one such heading on a page.
        for token in headings:
            token.tag = f"h{min(6, int(token.tag[1]) + 1)}"
    return tokens


class _Renderer(RendererHTML):
    """The usual HTML, with anchors at headings and marks at steps."""

    def heading_open(self, tokens: Sequence[Token], index: int, options: Any, env: MutableMapping[str, Any]) -> str:
        """With the anchor that the rest of Watchkeeper knows it by."""
        anchor = next(env["anchors"], "")
        if tokens[index].hidden:
            return f'<span id="{escape(anchor)}"></span>'
        return f'<{tokens[index].tag} id="{escape(anchor)}">'

    def heading_close(self, tokens: Sequence[Token], index: int, options: Any, env: MutableMapping[str, Any]) -> str:
        """Nothing where the heading itself is not shown."""
        return "" if tokens[index].hidden else f"</{tokens[index].tag}>\n"

    def link_open(self, tokens: Sequence[Token], index: int, options: Any, env: MutableMapping[str, Any]) -> str:
        """Other places get a plain `rel`; an address of an unknown sort leads nowhere."""
        target = str(tokens[index].attrGet("href") or "")
        if not _LINK.match(target):
            return "<a>"
        if re.match(r"[\w.-]+\.md(#|$)", target):
            target = "/runbooks/" + target.replace(".md", "", 1)
        outside = ' rel="noopener noreferrer"' if "://" in target else ""
        return f'<a href="{escape(target)}"{outside}>'

    def image(self, tokens: Sequence[Token], index: int, options: Any, env: MutableMapping[str, Any]) -> str:
        """As a link: a picture from elsewhere would tell its owner who reads this."""
        token = tokens[index]
        target = str(token.attrGet("src") or "")
        words = escape(token.content or target)
        return f'<a href="{escape(target)}" rel="noopener noreferrer">{words}</a>' if _LINK.match(target) else words

    def fence(self, tokens: Sequence[Token], index: int, options: Any, env: MutableMapping[str, Any]) -> str:
        """A block; one that is a step says so."""
        token = tokens[index]
        code = f"<pre><code>{escape(token.content)}</code></pre>"
        step: Step | None = env["steps"].get((token.map or [0])[0] + 1)
        return f'<div class="wr-step">{_head(step)}{code}</div>' if step is not None else code


def _head(step: Step) -> str:
    said = [_HOW.get(step.how, ""), *words_of(step)]
    words = escape("; ".join(one for one in said if one))
    title = escape(step.title)
    return f'<p class="wr-step-head"><b>{title}</b> <span class="wk-muted">{escape(step.key)}: {words}</span></p>'


def words_of(step: Step) -> Iterator[str]:
    """What there is to know of a step before it begins."""
    confirm: Mapping[str, str] = {"none": "asks nobody", "confirm": "asks first", "second": "asks a second person"}
    yield confirm[step.confirm.value]
    yield f"at most {step.timeout} s" if step.timeout < 120 else f"at most {step.timeout // 60} min"
    if step.expect:
        yield f"expects {step.expect!r}"
    if step.undo:
        yield f"undone by {step.undo}"
    if step.repeatable:
        yield "may be repeated"
