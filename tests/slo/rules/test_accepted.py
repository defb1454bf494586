"""Whatever our objectives are, promtool accepts the rules that are written of them; what rules can't say is named."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
import yaml
from hypothesis import assume, given, settings

from tests.conftest import missing
from tests.slo.files.test_openslo_laws import BASE, KNOWN, SOURCE, complaints, definitions
from tests.slo.rules.support import PROMTOOL, check_rules
from watchkeeper.modules.slo.definition import Definition
from watchkeeper.modules.slo.files.openslo import read_texts
from watchkeeper.modules.slo.promrules.events import Setting
from watchkeeper.modules.slo.promrules.text import rules_text

DUET = Path(__file__).parents[3] / "examples/duet/ops/slos"


@pytest.fixture(autouse=True)
def _promtool() -> None:
    if PROMTOOL is None:
        missing("promtool is not installed: on Debian it comes with the package prometheus")


@settings(deadline=None, max_examples=60)
@given(definitions())
def test_rules_of_any_objective_are_accepted_or_it_is_named(definition: Definition) -> None:
    assume(not complaints(definition, KNOWN))
    slos = {one.name: one for one in (BASE, definition)}
    text, notes = rules_text([definition], Setting({SOURCE.name: SOURCE}, slos))
    if definition.name not in _with_rules(text):
        assert any(definition.name in note for note in notes)
        return
    with tempfile.TemporaryDirectory() as folder:
        check_rules(Path(folder), text)


def test_rules_of_the_sample_product_are_accepted_but_for_what_is_counted_from_events(tmp_path: Path) -> None:
    found = read_texts({path.name: path.read_text(encoding="utf-8") for path in DUET.glob("*.yaml")})
    text, notes = rules_text(found.definitions, Setting({}, {one.name: one for one in found.definitions}))
    check_rules(tmp_path, text)
    written = _with_rules(text)
    assert {"api-availability", "api-latency", "offers-latency", "server-errors"} <= written
    for one in found.definitions:
        assert one.name in written or any(one.name in note for note in notes)


def _with_rules(text: str) -> set[str]:
    groups = yaml.safe_load(text)["groups"] or []
    return {rule["labels"]["slo"] for group in groups for rule in group["rules"]}
