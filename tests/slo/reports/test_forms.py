"""A report as words, CSV, e-mail and PDF: the same numbers, and nothing in a name becomes code."""

from __future__ import annotations

import csv
import io
import re
import zlib
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.slo.reports.sample import OCTOBER, SINCE, objective, quiet, report, slo_report
from watchkeeper.modules.slo.model import Counts, budget_of
from watchkeeper.modules.slo.reports.as_csv import COLUMNS, report_csv
from watchkeeper.modules.slo.reports.as_mail import in_full_or_short, mail_html, mail_text
from watchkeeper.modules.slo.reports.as_pdf import report_pdf
from watchkeeper.modules.slo.reports.content import Report
from watchkeeper.modules.slo.reports.paper import Paper, text_width, wrapped
from watchkeeper.modules.slo.reports.words import document, report_path

EVIL = '<script>alert("1")</script>'


def pdf_text(pdf: bytes) -> list[str]:
    """What is written on each page."""
    pages = []
    for stream in re.findall(rb"stream\n(.*?)\nendstream", pdf, re.DOTALL):
        shown = re.findall(rb"<([0-9a-f]*)> Tj", zlib.decompress(stream))
        pages.append("\n".join(bytes.fromhex(one.decode()).decode("cp1252") for one in shown))
    return pages


def test_every_form_has_the_same_numbers() -> None:
    said = report()
    blocks = document(said)
    whole = "\n".join(pdf_text(report_pdf(said)))
    for form in (mail_text(blocks), mail_html(blocks), whole):
        for words in ("99.8600 %", "998,600", "1,234.56 EUR x 10 % = 123.456 EUR, rounded to 123.46 EUR", "Late data"):
            assert words in form
    assert "998600" in report_csv(said)


def test_the_reasons_are_said() -> None:
    text = " ".join(mail_text(document(report())).split())
    for words in (
        "Changed after it was closed, version 2",
        "1,380 bad of 1,000,000 events became 1,400 bad",
        "orders.retries in production: 3 became 0.",
        "POST /api/orders",
        "v2, 2026-10-13",
        "Load test of ours",
        "Database moves",
        "98.0 % of the time was measured",
        "14.4x over 1h and 5m",
    ):
        assert words in text, words


def test_nothing_measured_is_neither_met_nor_missed() -> None:
    counts = Counts()
    budget = budget_of(counts, 0.999, timedelta(1))
    nothing = replace(quiet("none").objectives[0], counts=counts, covered=0.0, met=None, budget=budget)
    text = mail_text(document(report(slo_report(objectives=(nothing,), agreements=()))))
    assert "not measured" in text
    assert "Nothing was measured." in text
    assert " met" not in text


def test_a_period_that_runs_says_so_far() -> None:
    running = slo_report(state="provisional", made_at=SINCE + timedelta(days=10), reopened=())
    text = mail_text(document(report(running)))
    assert "missed so far" in text
    assert "Provisional, since the period runs" in text


def test_names_are_text_in_an_e_mail() -> None:
    html = mail_html(document(report(slo_report(EVIL, display_name=EVIL, service=EVIL))), f"https://x/?a={EVIL}")
    assert "<script" not in html
    assert "&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;" in html
    assert 'href="https://x/?a=&lt;script&gt;' in html


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_no_cell_starts_a_formula(start: str) -> None:
    evil = f"{start}cmd|'/c calc'!A1"
    route = replace(objective().routes[0], name=evil)
    said = report(slo_report(display_name=evil, service=evil, objectives=(objective(routes=(route,)),)))
    rows = list(csv.reader(io.StringIO(report_csv(said), newline="")))
    assert rows[0] == list(COLUMNS)
    cells = [cell for row in rows for cell in row]
    assert f"'{evil}" in cells
    assert not [cell for cell in cells if cell.startswith(start) and not _is_number(cell)]


def _is_number(text: str) -> bool:
    return re.fullmatch(r"-?[0-9.e+-]+", text) is not None


def test_the_table_has_a_row_for_each_thing() -> None:
    kinds = [row["kind"] for row in csv.DictReader(io.StringIO(report_csv(report(slo_report()))))]
    assert kinds == [
        *("objective", "alert", "incident", "release", "route", "route", "change"),
        *("exclusion", "adjustment", "revision", "agreement", "credit", "credit", "reopening"),
    ]


def test_a_mail_that_would_be_cut_off_is_short_and_says_so() -> None:
    assert in_full_or_short(report()) == document(report())
    long = report(*(quiet(f"objective-number-{number}") for number in range(150)))
    short = in_full_or_short(long)
    assert len(mail_html(short)) < 100_000
    assert "in the whole report" in mail_text(short)
    assert "And 110 more." in mail_text(short)


def test_the_address_of_a_report_keeps_its_service() -> None:
    assert report_path(OCTOBER, None) == "/slos/reports/2026-10"
    assert report_path(OCTOBER, "a b&c", ".pdf") == "/slos/reports/2026-10.pdf?service=a%20b%26c"


def test_a_pdf_is_the_same_for_the_same_report_and_numbers_its_pages() -> None:
    said = report()
    assert report_pdf(said) == report_pdf(said)
    pages = pdf_text(report_pdf(said))
    assert len(pages) > 1
    assert all(f"{number} of {len(pages)}" in page for number, page in enumerate(pages, 1))


def test_a_letter_that_the_pdf_can_not_show_is_a_question_mark() -> None:
    shown = "\n".join(pdf_text(report_pdf(report(slo_report(display_name="Søk \N{EN DASH} 検索 \U0001f600 Ω")))))
    assert "Søk \N{EN DASH} ?? ? ?" in shown


def test_a_report_without_slos_is_a_page_that_says_so() -> None:
    assert "There is no SLO to report of." in pdf_text(report_pdf(Report(OCTOBER, SINCE, ())))[0]


anything = st.text(st.characters(exclude_categories=[]), max_size=80)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=60)
@given(anything, anything)
def test_no_name_breaks_a_form(name: str, reason: str) -> None:
    said = report(slo_report(display_name=name, objectives=(objective(changes=(_change(reason),)),)))
    assert report_pdf(said).startswith(b"%PDF-")
    assert mail_html(document(said)).count("<table") == mail_html(document(report(slo_report()))).count("<table")
    report_csv(said)


def _change(reason: str) -> object:
    return replace(objective().changes[0], what=reason)


@settings(deadline=None)
@given(st.text(max_size=200), st.floats(20, 400), st.booleans())
def test_wrapped_words_keep_every_letter_and_fit(text: str, width: float, bold: bool) -> None:
    lines = wrapped(text, 9, width, bold=bold)
    assert "".join("".join(lines).split()) == "".join(text.split())
    assert all(text_width(line, 9, bold=bold) <= width or len(line) == 1 for line in lines)


def test_a_row_that_is_longer_than_a_page_loses_nothing() -> None:
    words = [f"word{number}" for number in range(3_000)]
    paper = Paper("A title", "made today")
    paper.table(("One", "Two"), [("a", " ".join(words))], frozenset())
    shown = " ".join(pdf_text(paper.pdf())).split()
    assert [one for one in shown if one.startswith("word")] == words
    lowest = [
        float(one)
        for stream in re.findall(rb"stream\n(.*?)\nendstream", paper.pdf(), re.DOTALL)
        for one in re.findall(rb"Tf [0-9.]+ (-?[0-9.]+) Td", zlib.decompress(stream))
    ]
    assert min(lowest) >= 32
