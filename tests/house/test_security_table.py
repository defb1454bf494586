"""What the security page says a test shows, a test shows."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/explanation/security.md"
# Of OWASP ASVS 5.0: these have to be in the table.
ITEMS = {
    "2.2.2",
    "2.3.3",
    "2.3.4",
    "2.4.1",
    "3.4.3",
    "3.5.1",
    "4.1.3",
    "6.2.1",
    "6.2.12",
    "6.3.1",
    "6.3.2",
    "6.3.3",
    "6.5.1",
    "6.6.3",
    "7.3.1",
    "7.3.2",
    "7.4.2",
    "7.4.3",
    "7.5.1",
    "8.1.2",
    "8.2.2",
    "8.2.3",
    "8.4.1",
    "11.1.1",
    "11.2.2",
    "11.3.3",
    "11.4.2",
    "11.5.1",
}


def rows() -> dict[str, str]:
    """Item to the rest of its row."""
    found = re.findall(r"^\| ([0-9., ]+) \|(.+)\|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    return {item: rest for items, rest in found for item in items.split(", ")}


def test_every_item_that_applies_stands_in_the_table() -> None:
    assert set(rows()) >= ITEMS


def test_each_item_names_a_test_that_exists() -> None:
    for item, rest in rows().items():
        named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", rest)
        assert named, f"{item} names no test"
        for file, function in named:
            tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
            assert function in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}, (
                item,
                function,
            )
