"""YAML from strangers: values as people mean them, a place for every mistake, bounds on everything."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from watchkeeper.kernel.ops import Complaints, Document, OpsInvalid
from watchkeeper.kernel.ops.yaml_file import LARGEST_FILE, MOST_VALUES, parse

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**15), 10**15) | st.floats(-1e9, 1e9) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def _read(text: str) -> list[Document]:
    complaints = Complaints()
    documents = parse("f.yaml", text, complaints)
    complaints.refuse_if_any()
    return documents


def _value(text: str) -> Any:
    (document,) = _read(text)
    return document.value


def _complaints(text: str) -> list[tuple[str, str]]:
    with pytest.raises(OpsInvalid) as refused:
        _read(text)
    return [(one.where, one.expected) for one in refused.value.complaints]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("no", "no"),
        ("on", "on"),
        ("09:00", "09:00"),
        ("2026-03-29", "2026-03-29"),
        ("1_000", "1_000"),
        ("'1'", "1"),
        ('"true"', "true"),
        ("1.10", 1.1),
        ("-7", -7),
        ("0x1f", 31),
        ("1e3", 1000.0),
        ("true", True),
        ("~", None),
        ("null", None),
        ("=", "="),
        ("99999999999999999999999", 1e23),
    ],
)
def test_unquoted_words_mean_what_people_mean(written: str, meant: object) -> None:
    assert _value(f"a: {written}\n") == {"a": meant}


@given(json_values.map(lambda value: {"a": value}))
@example({"a": {"": {"\u2028": [" ", "#", "no", "1:2"]}}})
def test_what_yaml_writers_write_is_read_back(value: Any) -> None:
    assert _value(yaml.safe_dump(value, allow_unicode=False)) == value
    written = json.dumps(value)
    # JSON escapes some characters as pairs, which YAML does not know.
    if "\\u" not in written and "\x7f" not in written:
        assert _value(written) == value


@given(st.text(alphabet=st.sampled_from("ab:-[]{}&*!|>'\"# \n\t?,%@`~<1.\r\x00\ufeff\ud800é"), max_size=60))
@example("? [a]\n: 1")
@example("- - - -\n - *x")
def test_whatever_is_in_a_file_is_read_or_complained_of(text: str) -> None:
    complaints = Complaints()
    documents = parse("f.yaml", text, complaints)
    assert all(document.at.line >= 1 and document.at.column >= 1 for document in documents)


def test_every_value_and_key_knows_its_place() -> None:
    (document,) = _read("name: web\nlinks:\n  - title: Docs\n    url: x\n")
    assert str(document.place(("links", 0, "url"))) == "f.yaml:4:10"
    assert str(document.key(("links", 0, "url"))) == "f.yaml:4:5"
    assert str(document.place(("links", 3, "url"))) == "f.yaml:3:3"
    assert str(document.place(("nothing",))) == "f.yaml:1:1"


@given(st.integers(0, 30), st.integers(0, 12))
def test_a_place_counts_every_line_and_column_before_it(lines: int, indent: int) -> None:
    text = "# é\n" * lines + "a:\n" + " " * (indent + 1) + "b: [1, 'ü', x]\n"
    (document,) = _read(text)
    at = document.place(("a", "b", 2))
    assert (at.line, text.split("\n")[at.line - 1][at.column - 1]) == (lines + 2, "x")


def test_a_file_holds_several_documents_and_empty_ones_are_left_out() -> None:
    assert [one.value for one in _read("---\na: 1\n---\n---\nb: 2\n...\n")] == [{"a": 1}, {"b": 2}]
    assert _read("") == _read("# nothing\n") == []


def test_a_mark_of_byte_order_is_no_mistake() -> None:
    assert _value("\ufeffa: 1\n") == {"a": 1}


def test_each_repeated_field_is_named_where_it_is_repeated() -> None:
    assert _complaints("a: 1\nb: {c: 1, c: 2}\na: {x: 3}\n") == [
        ("f.yaml:2:11", "expected each field once, found 'c' again"),
        ("f.yaml:3:1", "expected each field once, found 'a' again"),
    ]


@pytest.mark.parametrize(
    ("text", "where", "words"),
    [
        ("a: 1\nb: !!python/object/apply:os.system ['id']\n", "f.yaml:2:4", "plain YAML, found the tag"),
        ("a: !secret x\n", "f.yaml:1:4", "plain YAML, found the tag !secret"),
        ("a: &x 1\nb: *x\n", "f.yaml:2:4", "the value itself, found the alias *x"),
        ("a:\n\tb: 1\n", "f.yaml:2:1", "spaces, found a tab"),
        ("a: 1\nb: \0\n", "f.yaml:2:4", "printable text"),
        ("a: 1\nb: \x07\n", "f.yaml:2:4", "printable text"),
        ("a: [1,\n", "f.yaml:2:1", "valid YAML"),
        ("a: 'x\n", "f.yaml:2:1", "valid YAML"),
        ("a: b: c\n", "f.yaml:1:5", "valid YAML"),
        ("? [a]\n: 1\n", "f.yaml:1:3", "a plain name as key"),
        ("a: \ud800\n", "f.yaml:1:4", "text in UTF-8"),
        ("[" * 100_000, "f.yaml:1:31", "at most 30 levels"),
        ("- " * 50_000, "f.yaml:1:61", "at most 30 levels"),
        ("{a: " * 50_000, "f.yaml:1:121", "at most 30 levels"),
        ("a: [" + "1," * MOST_VALUES + "]", "f.yaml:1:", "at most 50,000 values"),
        ("---\n1\n" * 2_000, "f.yaml:2002:1", "at most 1000 documents"),
    ],
)
def test_what_is_hostile_or_broken_is_refused_where_it_stands(text: str, where: str, words: str) -> None:
    ((at, expected),) = _complaints(text)
    assert at.startswith(where)
    assert words in expected


def test_a_billion_laughs_are_not_laughed() -> None:
    laughs = 'a0: &a0 "ha"\n' + "".join(f"a{n}: &a{n} [{f'*a{n - 1},' * 10}]\n" for n in range(1, 10))
    ((where, expected),) = _complaints(laughs)
    assert where == "f.yaml:2:10"
    assert "alias" in expected


@pytest.mark.parametrize("text", ["a: " + "x" * 5_000_000, "é" * 600_000], ids=["5 MB", "more bytes than letters"])
def test_a_file_over_a_megabyte_is_refused_unread(text: str) -> None:
    started = time.monotonic()
    ((where, expected),) = _complaints(text)
    assert (where, expected) == ("f.yaml:1:1", "expected a file of at most 1 MB")
    assert time.monotonic() - started < 1


def test_a_file_just_small_enough_is_read_quickly() -> None:
    line = "- {name: web, owner: team, tier: 1}\n"
    text = line * min(LARGEST_FILE // len(line), 5_000)
    started = time.monotonic()
    assert len(_value(text)) == text.count("\n")
    assert time.monotonic() - started < 5
