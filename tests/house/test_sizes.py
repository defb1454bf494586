"""Files under 400 lines, functions under 50. `large.toml` lists what is larger and why."""

from __future__ import annotations

import statistics
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house.tree import PROGRAMS, ROOT, files, functions, parsed, shown

MOST_LINES_OF_A_FILE = 400
MOST_LINES_OF_A_FUNCTION = 50
ALLOWED: dict[str, str] = tomllib.loads((Path(__file__).parent / "large.toml").read_text(encoding="utf-8"))["large"]


def file_sizes(*folders: str) -> dict[str, int]:
    """Lines of each Python file."""
    return {shown(path): len(path.read_text(encoding="utf-8").splitlines()) for path in files(".py", *folders)}


def function_sizes(*folders: str) -> Iterator[tuple[str, int]]:
    """Lines of each function, decorators not counted."""
    for path in files(".py", *folders):
        for function in functions(parsed(path)):
            yield f"{shown(path)}::{function.name}", (function.end_lineno or 0) - function.lineno + 1


def too_large(*folders: str) -> dict[str, int]:
    """What is over the limit."""
    found = {name: lines for name, lines in file_sizes(*folders).items() if lines > MOST_LINES_OF_A_FILE}
    return found | {name: lines for name, lines in function_sizes(*folders) if lines > MOST_LINES_OF_A_FUNCTION}


def test_nothing_is_too_large_without_a_reason() -> None:
    found = {name: lines for name, lines in too_large(*PROGRAMS, "tests").items() if name not in ALLOWED}
    assert found == {}, "split it, or give the reason in tests/house/large.toml"


def test_the_list_of_large_things_is_not_out_of_date() -> None:
    assert sorted(ALLOWED.keys() - too_large(*PROGRAMS, "tests").keys()) == []
    assert all(len(reason) > 10 for reason in ALLOWED.values())


def test_the_sizes_are_reported(record_property: pytest.RecordProperty) -> None:
    report = []
    for name, folders in (("src", ("src", "client/src")), ("tests", ("tests", "client/tests"))):
        lines = sorted(file_sizes(*folders).values())
        spans = sorted(length for _, length in function_sizes(*folders))
        report.append(
            f"{name}: {sum(lines)} lines in {len(lines)} files (median {statistics.median(lines):.0f}, "
            f"p95 {percentile(lines, 95)}); {len(spans)} functions (median {statistics.median(spans):.0f}, "
            f"p95 {percentile(spans, 95)})"
        )
    record_property("sizes", report)
    print("\n".join(report))
    assert (ROOT / "tests").is_dir()


def percentile(sorted_values: list[int], wanted: int) -> int:
    """The value below which `wanted` percent lie."""
    return sorted_values[min(len(sorted_values) - 1, len(sorted_values) * wanted // 100)]
