"""What the documents say about settings, commands, events, permissions and the API is what the code says."""

from __future__ import annotations

import dataclasses

import pytest

from scripts.generate_docs import DOCS, documents
from watchkeeper.app.ops.kinds import KINDS
from watchkeeper.app.server import Watchkeeper
from watchkeeper.kernel.journal.model import Event, event_kinds
from watchkeeper.kernel.ops import json_schemas


@pytest.fixture(scope="module")
def generated() -> dict[str, str]:
    return documents()


@pytest.mark.parametrize(
    "name",
    [
        "contracts/openapi.json",
        "reference/cli.md",
        "reference/configuration.md",
        "reference/events.md",
        "reference/permissions.md",
        *(f"reference/schemas/{name}" for name in json_schemas(KINDS)),
    ],
)
def test_a_generated_page_is_up_to_date(name: str, generated: dict[str, str]) -> None:
    path = DOCS / name
    assert path.exists(), "run: make docs"
    assert path.read_text(encoding="utf-8") == generated[name], "run: make docs"


def test_nothing_is_generated_that_no_test_compares(generated: dict[str, str]) -> None:
    marked = {
        path.relative_to(DOCS).as_posix()
        for path in DOCS.rglob("*.md")
        if "<!-- Made by `make docs`" in path.read_text(encoding="utf-8")
    }
    schemas = {path.relative_to(DOCS).as_posix() for path in (DOCS / "reference" / "schemas").iterdir()}
    assert marked | schemas | {"contracts/openapi.json"} == generated.keys()


def our_events(_watchkeeper: Watchkeeper) -> list[type[Event]]:
    return [event for event in event_kinds().values() if event.__module__.startswith("watchkeeper.")]


def test_every_kind_of_event_reads_as_a_sentence(watchkeeper: Watchkeeper) -> None:
    for event in our_events(watchkeeper):
        fields = [field.name for field in dataclasses.fields(event)]
        sentence = event.describe(dict.fromkeys(fields, "…"))
        assert sentence != event.kind
        assert sentence.endswith((".", "…")), event.kind


def test_the_kind_of_an_event_begins_with_its_owner(watchkeeper: Watchkeeper) -> None:
    for event in our_events(watchkeeper):
        assert event.__module__.split(".")[2] == event.kind.split(".")[0] or "kernel" in event.__module__, event.kind
