"""Pages carry no inline script or style (the content policy forbids them) and escape what they show."""

from __future__ import annotations

import re

import pytest

from tests.house.tree import files, shown

FORBIDDEN = {
    "inline style": re.compile(r"<[^>]*\sstyle\s*=", re.IGNORECASE),
    "inline handler": re.compile(r"<[^>]*\son[a-z]+\s*=\s*[\"']", re.IGNORECASE),
    "inline script": re.compile(r"<script(?![^>]*\bsrc=)(?![^>]*type=\"application/json\")", re.IGNORECASE),
    "style element": re.compile(r"<style\b", re.IGNORECASE),
    "address elsewhere": re.compile(r"(?:src|href|action)=[\"']https?://", re.IGNORECASE),
    "script address": re.compile(r"[\"']javascript:", re.IGNORECASE),
}
# Where text goes into a page unescaped: file, and the reason why that is safe.
_BLOCKS = "blocks of other modules: their own templates escaped them"
UNESCAPED = {
    "src/watchkeeper/modules/telemetry/templates/home.html": _BLOCKS,
    "src/watchkeeper/modules/telemetry/templates/service.html": _BLOCKS,
}


def complaints(text: str) -> list[str]:
    """Names of the rules that a template breaks."""
    return [name for name, pattern in FORBIDDEN.items() if pattern.search(text)]


def test_pages_have_nothing_inline() -> None:
    found = {shown(path): complaints(path.read_text(encoding="utf-8")) for path in files(".html", "src")}
    assert {name: broken for name, broken in found.items() if broken} == {}


def test_unescaped_text_has_a_reason() -> None:
    unescaped = re.compile(r"\|\s*safe\b|autoescape\s+false")
    found = {shown(path) for path in files(".html", "src") if unescaped.search(path.read_text(encoding="utf-8"))}
    assert found == UNESCAPED.keys()


def test_a_form_that_changes_something_carries_the_form_token() -> None:
    form = re.compile(r"<form[^>]*method=[\"']post[\"'].*?</form>", re.IGNORECASE | re.DOTALL)
    found = [
        shown(path)
        for path in files(".html", "src")
        for one in form.findall(path.read_text(encoding="utf-8"))
        if "csrf_field(" not in one
    ]
    assert found == []


@pytest.mark.parametrize(
    ("html", "broken"),
    [
        ('<p style="color:red">', ["inline style"]),
        ('<a onclick="go()">', ["inline handler"]),
        ("<script>alert(1)</script>", ["inline script"]),
        ('<script defer src="/a.js"></script>', []),
        ('<script type="application/json">{}</script>', []),
        ('<a href="/traces">', []),
    ],
)
def test_the_rules_of_pages(html: str, broken: list[str]) -> None:
    assert complaints(html) == broken
