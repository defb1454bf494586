"""What is written reads back as the same, by our reader and by others."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from watchkeeper.kernel.ops import Complaints, write_documents
from watchkeeper.kernel.ops.yaml_file import parse

LINE = "# yaml-language-server: $schema=../.schemas/lamp.schema.json"

texts = st.text(max_size=30) | st.text(
    alphabet="ab:-[]{}&*!|>'\"# \n\t?,%@`~<1_.e0xno\r\x00\x85\u2028\ufeffé", max_size=12
)
odd_words = st.sampled_from(
    [
        *("no", "Yes", "on", "y", "~", "null", "true", "1_000", "1e3", "0o7", "0x1F", "012", "12:30", "1:2:3"),
        *(
            "2026-03-29",
            "2026-03-29T01:00:00Z",
            ".inf",
            "-.INF",
            ".nan",
            "=",
            "<<",
            "---",
            "...",
            "- a",
            "a: b",
            "a #b",
        ),
        *("#", "!x", "&a", "*a", "%a", "@a", "`a", "|", ">", "'", '"', "", " ", "a ", " a", "a:", "é", "🌍"),
        *("a\nb", "a\n\nb\n", " a\nb"),
    ]
)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**17), 10**17) | st.floats(allow_nan=False) | texts | odd_words,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts | odd_words, inner, max_size=4),
    max_leaves=12,
)
documents = st.dictionaries(texts | odd_words, values, min_size=1, max_size=4)


def _read(text: str) -> list[Any]:
    complaints = Complaints()
    found = parse("f.yaml", text, complaints)
    complaints.refuse_if_any()
    return [one.value for one in found]


@given(st.lists(documents, min_size=1, max_size=3))
@example([{"a": [[], {}, [[1]], [{"b": "x\ny"}]]}])
@example([{"a": {"b": "x\ny\n"}, "c": ["- ", "\ufeff"]}])
def test_whatever_is_written_is_read_back(wanted: list[dict[str, Any]]) -> None:
    assert _read(write_documents(wanted, LINE)) == wanted


@given(st.lists(documents, min_size=1, max_size=3))
def test_writing_again_what_was_read_gives_the_same_file(wanted: list[dict[str, Any]]) -> None:
    text = write_documents(wanted, LINE)
    assert write_documents(_read(text), LINE) == text


@given(st.dictionaries(texts | odd_words, texts | odd_words | st.booleans() | st.none(), min_size=1))
def test_readers_of_the_older_yaml_read_the_same(wanted: dict[str, Any]) -> None:
    assert yaml.safe_load(write_documents([wanted])) == wanted


def test_a_file_looks_as_a_person_would_write_it() -> None:
    web = {
        "name": "web",
        "tier": 1,
        "links": [{"title": "Docs", "url": "https://x.example/a#b"}],
        "calls": ["chat", "no"],
    }
    text = write_documents([web, {"name": "chat", "description": "Talks.\n\nAnd listens: always."}], LINE)
    assert text == (
        f"{LINE}\nname: web\ntier: 1\nlinks:\n  - title: Docs\n    url: https://x.example/a#b\n"
        f'calls:\n  - chat\n  - "no"\n---\n{LINE}\nname: chat\ndescription: |-\n  Talks.\n\n  And listens: always.\n'
    )


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("no", '"no"'),
        ("1_000", '"1_000"'),
        ("12:30", '"12:30"'),
        ("2026-03-29", '"2026-03-29"'),
        ("1e3", '"1e3"'),
        ("Team Web", "Team Web"),
        ("duet/chat (v2)", "duet/chat (v2)"),
        ("a\r\nb", '"a\\r\\nb"'),
        ("tab\there", '"tab\\there"'),
        ("\u00a0", '"\\xa0"'),
        ("🌍\U0001f3fb", '"🌍🏻"'),
        (1.5, "1.5"),
        (None, "null"),
        ([], "[]"),
        ({}, "{}"),
    ],
)
def test_each_value_is_written_in_one_way(value: object, written: str) -> None:
    assert write_documents([{"a": value}]) == f"a: {written}\n"


def test_a_number_that_yaml_would_round_is_refused() -> None:
    with pytest.raises(ValueError, match="18 digits"):
        write_documents([{"a": 10**18}])
