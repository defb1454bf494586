"""Words that blame are pointed at, and harmless look-alikes are not."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from watchkeeper.app.cli import cli
from watchkeeper.modules.postmortems.blameless import LONGEST, check
from watchkeeper.modules.postmortems.rendering import marked

KNOWN = Path(__file__).with_name("phrases_known.tsv")
NAMES = ("Alice Berg", "Bob Lind", "Sam Holt", "Sarah Moe", "John Ek")
LINES = [line.split("\t") for line in KNOWN.read_text(encoding="utf-8").splitlines()]


def test_the_list_is_long_enough_to_mean_something() -> None:
    assert sum(label == "blame" for label, _ in LINES) >= 100
    assert sum(label == "fine" for label, _ in LINES) >= 100


def test_of_the_sentences_that_the_rules_were_written_for_nearly_all_are_known() -> None:
    missed = [text for label, text in LINES if label == "blame" and not check(text, NAMES)]
    false = [text for label, text in LINES if label == "fine" and check(text, NAMES)]
    assert false == []
    assert len(missed) <= 0.02 * len(LINES), missed


@pytest.mark.parametrize("text", [text for label, text in LINES if label == "blame"][:40])
def test_a_finding_says_where_what_why_and_what_else(text: str) -> None:
    for one in check(text, NAMES):
        assert text[one.offset : one.end] == one.phrase
        assert one.why.endswith((".", "?"))
        assert one.alternatives


@given(st.lists(st.sampled_from([text for _, text in LINES]), max_size=8).map(" ".join))
def test_findings_are_in_order_and_none_is_inside_another(text: str) -> None:
    found = check(text, NAMES)
    assert all(one.end <= other.offset for one, other in pairwise(found))


@given(st.text(max_size=400))
def test_any_text_is_taken_and_every_finding_stands_in_it(text: str) -> None:
    for one in check(text):
        assert text[one.offset : one.end] == one.phrase


def test_code_and_addresses_are_left_out() -> None:
    assert check("Run `git blame` on it:\n```\nhuman error\n```\nhttps://example.com/human-error") == []
    assert check("```\nan open fence: human error") == []


def test_a_curly_apostrophe_is_one() -> None:
    assert check("It was Bob\N{RIGHT SINGLE QUOTATION MARK}s fault.", NAMES)


def test_somebody_is_known_by_the_names_that_the_check_was_given() -> None:
    assert check("Zoe broke it.") == []
    assert [one.phrase for one in check("Zoe broke it.", ["Zoe Ray"])] == ["Zoe broke"]


@pytest.mark.parametrize("piece", ["the engineer ", "not ", "a", "`", "should have ", "PERSON(", "\n", "the team's "])
def test_a_long_text_is_read_to_its_end_and_what_follows_changes_nothing_before(piece: str) -> None:
    """A rule that goes back and forth would need hours, and meet the time limit of every test."""
    text = piece * (20_000 // len(piece))
    found = check(text, NAMES)
    assert check(text + text, NAMES)[: max(0, len(found) - 1)] == found[: max(0, len(found) - 1)]


def test_of_a_text_beyond_all_measure_only_the_beginning_is_read() -> None:
    assert check(" " * LONGEST + "human error") == []
    assert check(" " * (LONGEST - 20) + "human error") != []


def test_a_file_is_checked_without_a_server(tmp_path: Path) -> None:
    file = tmp_path / "outage.md"
    file.write_text("# Outage\n\nIt was human error.\n", encoding="utf-8")
    found = CliRunner().invoke(cli, ["postmortem", "check", str(file)])
    assert found.exit_code == 1
    assert ":3:8: “human error”" in found.output.replace("\n", "")
    file.write_text("The tool asked nothing.\n", encoding="utf-8")
    assert CliRunner().invoke(cli, ["postmortem", "check", str(file)]).exit_code == 0
    file.write_bytes(b"\xff\xfe\x00")
    wrong = CliRunner().invoke(cli, ["postmortem", "check", str(file)])
    assert wrong.exit_code == 1
    assert "can't be read as text" in wrong.output.replace("\n", " ")
    assert CliRunner().invoke(cli, ["postmortem", "check", str(tmp_path / "nothing")]).exit_code == 1


def test_marks_are_set_and_nothing_in_a_text_is_html() -> None:
    text = "<b>human error</b>"
    assert marked(text, check(text)) == "&lt;b&gt;<mark>human error</mark>&lt;/b&gt;"
