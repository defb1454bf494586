"""Links between the documents lead somewhere, and every document can be found from the index."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from tests.house.tree import ROOT, files, shown

LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)(?:\s\"[^\"]*\")?\)|!\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^(```|~~~).*?^\1", re.DOTALL | re.MULTILINE)


def links(path: Path) -> Iterator[tuple[str, str]]:
    """Target file (empty: this one) and anchor of each link that stays in the repository."""
    for plain, image in LINK.findall(FENCE.sub("", path.read_text(encoding="utf-8"))):
        link = plain or image
        if not re.match(r"[a-z]+:", link):
            target, _, anchor = link.partition("#")
            yield target, anchor


def anchors(path: Path) -> set[str]:
    """The anchors that the headings of a document get."""
    headings = re.findall(r"^#+\s+(.*)$", FENCE.sub("", path.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def test_links_lead_somewhere() -> None:
    broken = []
    for path in files(".md"):
        for target, anchor in links(path):
            if target.startswith("/") and path.parent.name == "runbooks":
                continue  # a page of the console, where runbooks are read
            there = (path.parent / target).resolve() if target else path
            if not there.exists() or (anchor and there.suffix == ".md" and anchor not in anchors(there)):
                broken.append(f"{shown(path)} -> {target}#{anchor}".rstrip("#"))
    assert broken == []


def test_every_document_can_be_reached_from_the_index() -> None:
    index = ROOT / "docs/README.md"
    reached, waiting = set[Path](), [index]
    while waiting:
        path = waiting.pop()
        if path in reached:
            continue
        reached.add(path)
        waiting += [there for target, _ in links(path) if (there := (path.parent / target).resolve()).suffix == ".md"]
    assert [shown(path) for path in files(".md", "docs") if path not in reached] == []
