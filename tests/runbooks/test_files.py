"""Files of runbooks: what they say, and what is said of one that is wrong."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.runbooks.support import FRONT, block, read, text_of
from watchkeeper.kernel.ops import Complaints
from watchkeeper.modules.runbooks.lint import Known, problems_of
from watchkeeper.modules.runbooks.model import Confirmation, How, Kind, search
from watchkeeper.modules.runbooks.reading import content_of, read_text
from watchkeeper.modules.runbooks.template import SECTIONS, template

TODAY = date(2026, 3, 2)
STEP = block(
    "shop release $WK_RELEASE", "run=shell id=back confirm=second timeout=2m expect=done undo=forward repeatable"
)
FORTH = block("shop release new", "run=shell id=forward")
INPUT = "inputs: [{name: release, type: choice, choices: [v1, v2]}]\n"


def test_a_step_says_who_confirms_it_how_long_it_takes_and_what_undoes_it() -> None:
    _, content, complaints = read(text_of(STEP + FORTH + "- [ ] Look at the errors\n- [x] Tell the others\n", INPUT))
    assert complaints == []
    assert content is not None
    back, forward, look, tell = content.steps
    assert (back.how, back.confirm, back.timeout, back.expect) == (How.SHELL, Confirmation.SECOND, 120, "done")
    assert (back.undo, back.repeatable, back.title, back.section) == ("forward", True, "Rollback", "rollback")
    assert (look.how, look.title, look.key) == (How.MANUAL, "Look at the errors", "check-look-at-the-errors")
    assert tell.how is How.MANUAL
    # What only undoes another step is no part of the procedure.
    assert [one.key for one in content.procedures()["rollback"]] == ["back", look.key, tell.key]
    assert forward.confirm is Confirmation.CONFIRM


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("# Shop\n", ["runbooks/shop.md:1:1 expected front matter"]),
        ("---\ntitle: Shop\n", ["runbooks/shop.md:2:1 expected a line with three dashes that ends"]),
        ("---\ntitle: [\n---\n", ["runbooks/shop.md:3:1 expected valid YAML"]),
        ("---\nservice: shop\n---\n", ["runbooks/shop.md:2:1 expected the field title"]),
        ("---\ntitle: Shop\n---\n", ["runbooks/shop.md:2:1 expected the field service"]),
        ("---\ntitle: A\nkind: alert\n---\n", ["runbooks/shop.md:2:1 expected the field alerts"]),
        (
            "---\ntitle: A\nservice: s\nowner: x\n---\n",
            ["runbooks/shop.md:4:1 expected one of", "did you mean owners?"],
        ),
        ("---\ntitle: A\nservice: s\nreviewed: soon\n---\n", ["runbooks/shop.md:4:11 expected a date such as"]),
        (text_of(block("a", "run=shell")), ["runbooks/shop.md:11:8 expected an id, such as id=restart"]),
        (text_of(block("a", "run=shell id=a conferm=no")), ["runbooks/shop.md:11:23", "did you mean confirm?"]),
        (text_of(block("a", "run=shell id=a timeout=9h")), ["expected timeout= such as 90s or 5m"]),
        (text_of(block("a", "run=shell id=a", "python")), ["expected a shell before the braces"]),
        (text_of(block("a", "run=shell id=a undo=b")), ["expected undo= the id of another step"]),
        (text_of(block("a", "run=shell id=a") * 2), ["expected each id once, found 'a', also in line 11"]),
        (text_of(block("a", "run=shell id='a")), ["expected quotes that are closed"]),
        (text_of("", "inputs: [{name: a}, {name: a}]\n"), ["expected each input once, found 'a' again"]),
        (text_of("", "inputs: [{name: PATH}]\n"), ["runbooks/shop.md:5:17 expected text that should match"]),
    ],
)
def test_a_wrong_file_is_told_with_line_column_and_what_was_expected(text: str, said: list[str]) -> None:
    _, _, complaints = read(text)
    for words in said:
        assert any(words in one for one in complaints), complaints


@given(st.text(max_size=400), st.text(max_size=60))
@example("a\0b", "")
@example("", "a: \0")
def test_no_text_makes_the_reader_fail(body: str, more: str) -> None:
    for text in (body, FRONT.format(more=more + "\n") + body):
        complaints = Complaints()
        read_text("runbooks/a.md", text, complaints)
        assert content_of("a", text).text == text


@pytest.mark.parametrize("kind", list(Kind))
def test_a_new_file_can_be_read_and_lint_says_what_is_still_to_be_written(kind: Kind) -> None:
    text = template(kind, "shop", service="shop", alert='It "burns"', owner=None, today=TODAY)
    _, content, complaints = read(text)
    assert complaints == []
    assert content is not None
    found = problems_of(content, Known(), TODAY)
    empty = {one.text for one in found if one.code == "section-empty"}
    assert len(empty) == len(SECTIONS[kind])
    assert any(one.code == "field-missing" and "owners" in one.text for one in found)


def filled(kind: Kind = Kind.SERVICE, more: str = "", extra: str = "") -> str:
    front = (
        f"---\ntitle: Shop\nkind: {kind.value}\nservice: shop\nowners: [team-shop]\nreviewed: 2026-01-10\n"
        "dashboards: [{title: All, url: /services/shop}]\nmetrics: [{name: requests}]\n" + more + "---\n\n# Shop\n\n"
    )
    return front + "".join(f"## {one.title}\n\nWords.\n\n" for one in SECTIONS[kind]) + extra


def problems(text: str, known: Known | None = None, today: date = TODAY, **said: object) -> list[str]:
    _, content, complaints = read(text)
    assert complaints == []
    assert content is not None
    return [f"{one.line}:{one.column} {one.text}" for one in problems_of(content, known or Known(), today, **said)]  # type: ignore[arg-type]


def test_a_filled_runbook_is_clean_and_a_quarter_later_overdue() -> None:
    assert problems(filled()) == []
    assert problems(filled(Kind.ALERT, "alerts: {Slow: what-it-means}\n")) == []
    assert problems(filled(), today=date(2026, 4, 12)) == []
    (overdue,) = problems(filled(), today=date(2026, 4, 13))
    assert overdue == "6:11 expected a review by 2026-04-12; the last was on 2026-01-10"


def test_a_section_that_is_missing_or_only_asks_is_named() -> None:
    text = (
        filled().replace("## Deploy\n\nWords.", "## Deploy\n\n_Fill in: how._").replace("## Data flow\n\nWords.\n", "")
    )
    found = problems(text)
    assert any("expected a section 'Data flow'" in one for one in found)
    assert any("in 'Deploy'" in one for one in found)


def test_names_that_nobody_knows_are_named_where_they_stand() -> None:
    more = "related: [shap]\nalerts: {Slow: overview}\nparameters: [shop.size]\n"
    known = Known(
        services=frozenset({"shop"}),
        owners=frozenset({"team-shop"}),
        alerts=frozenset({"Slower"}),
        objectives=frozenset({"answers"}),
        parameters=frozenset({"shop.sizes"}),
    )
    assert problems(filled(more=more)) == []
    assert problems(filled(more=more), known) == [
        "9:11 expected a service of the catalog, found 'shap': did you mean shop?",
        "10:10 expected an objective, a heartbeat or an alert that is known, found 'Slow': did you mean Slower?",
        "11:14 expected a configuration key, found 'shop.size': did you mean shop.sizes?",
    ]


def test_an_alert_that_another_system_may_raise_is_a_warning_and_none_once_it_is_said_so() -> None:
    known = Known(alerts=frozenset({"shop-answers", "daily-backup"}))
    alerts = "alerts: {KubePodCrashLooping: deploy, shop-answer: deploy, shop-burns: deploy, daily-backup: deploy}\n"

    def found(more: str) -> list[tuple[str, str]]:
        _, content, _ = read(filled(more=more))
        assert content is not None
        return [(one.level, one.text) for one in problems_of(content, known, TODAY)]

    unseen, misspelt, missing = found(alerts)
    assert unseen[0] == "warning"
    assert "name it in external_alerts" in unseen[1]
    assert misspelt == (
        "error",
        "expected an objective, a heartbeat or an alert that is known, found 'shop-answer': did you mean shop-answers?",
    )
    # Spelt as objectives are, and none of that name.
    assert missing[0] == "error"
    assert "found 'shop-burns'" in missing[1]
    assert found(alerts + "external_alerts: [KubePodCrashLooping, shop-answer, shop-burns]\n") == []
    assert found("external_alerts: [Gone]\n") == [("error", "expected one of alerts, found 'Gone'")]


def test_an_issue_says_how_it_is_seen_found_ended_and_kept_away() -> None:
    whole = "**Symptoms:** a\n\n**Diagnosis:** b\n\n**Resolution:** c\n\n**Prevention:** d\n"
    at = filled().index("## Deploy")

    def with_issue(text: str) -> str:
        return filled()[:at] + f"### Slow\n\n{text}\n" + filled()[at:]

    assert problems(with_issue(whole)) == []
    assert problems(with_issue("Only words, or a step.")) == []
    (found,) = problems(with_issue(whole.replace(" c", "").replace("**Prevention:** d", "")))
    assert found.endswith("expected resolution, prevention of 'Slow', such as **Resolution:** …")


def test_pages_of_services_objectives_and_runbooks_that_are_not_there_are_named() -> None:
    links = (
        "[a](/services/shop/routes) [b](/services/shap) [c](/logs?service=shap&q=x) [d](/config) [e](/runbooks/gone) "
        "[f](jam.md#here) [g](jam.md#nowhere)\n"
    )
    known = Known(
        services=frozenset({"shop"}),
        objectives=frozenset({"answers"}),
        runbooks=frozenset({"jam"}),
        anchors={"jam": frozenset({"here"})},
    )
    text = filled(extra=links).replace("[{name: requests}]", '[{name: "slo:answer"}]')
    assert [one.rpartition("found ")[2] for one in problems(text, known)] == [
        "'answer': did you mean answers?",
        "'/services/shap'",
        "'/logs?service=shap&q=x'",
        "'/runbooks/gone'",
        "#nowhere: did you mean here?",
    ]


def test_dead_links_are_named_and_live_ones_are_not(tmp_path: Path) -> None:
    (tmp_path / "plan.txt").write_text("x", encoding="utf-8")
    links = "[a](#deploy) [b](#nowhere) [c](plan.txt) [d](gone.txt) [e](https://example.org/x) [f](other.md)\n"
    found = problems(filled(extra=links), is_there=lambda path: (tmp_path / path).exists())
    assert [one.partition("found ")[2] for one in found] == ["#nowhere", "'gone.txt'", "'other.md'"]


@pytest.mark.parametrize(
    ("script", "clean"),
    [
        ("if true; then echo a; fi", True),
        ("if true; then", False),
        ("echo 'a", False),
        ("cat <<EOF\ndon't\nEOF", True),
        ("touch /tmp/watchkeeper-lint-ran; exit 1", True),
    ],
)
def test_scripts_are_read_by_the_shell_and_not_run(script: str, clean: bool) -> None:
    found = problems(filled(extra=block(script, "run=shell id=a")))
    assert (found == []) is clean
    assert all("expected a script that parses" in one for one in found)
    assert not Path("/tmp/watchkeeper-lint-ran").exists()


def test_a_variable_without_input_and_a_request_without_host_are_named() -> None:
    text = filled(extra=block("echo $WK_A", "run=shell id=a") + block("GET /x", "run=http id=b", "http"))
    assert [one.partition("expected ")[2] for one in problems(text)] == [
        "an input for $WK_A, found none of that name",
        "an address with a host that no input chooses",
    ]


def test_search_finds_sections_and_the_heading_counts_more_than_the_text() -> None:
    contents = [
        content_of("a", filled(extra="## Queue\n\nFull of orders.\n")),
        content_of("b", filled(extra="A queue.\n")),
    ]
    found = search(contents, "queue")
    assert [(one.name, one.anchor) for one in found] == [("a", "queue"), ("b", "escalation")]
    assert search(contents, "queue orders")[0].excerpt == "Full of orders."
    assert search(contents, "nothing like it") == []
