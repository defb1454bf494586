"""What Watchkeeper does not know, it refuses."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from watchkeeper.kernel.web.wire import PageForm, StrictModel


class Inner(StrictModel):
    tags: tuple[str, ...] = ()


class Outer(StrictModel):
    name: str
    share: float = 0.0
    inner: Inner = Inner()


def test_known_fields_are_read_and_texts_trimmed():
    assert Outer.model_validate({"name": "  lamp "}).name == "lamp"


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "x", "colour": "red"},
        {"name": "x", "inner": {"tag": []}},
        {"name": "x", "share": float("nan")},
        {"name": "x", "share": float("inf")},
        {"name": "a\0b"},
        {"name": "x", "inner": {"tags": ["a\0"]}},
        {"name": "x", "inner": {"a\0": 1}},
        {},
        [],
    ],
)
def test_anything_else_is_refused(wrong):
    with pytest.raises(ValidationError):
        Outer.model_validate(wrong)


@given(st.text(alphabet=st.characters(codec="utf-8")))
def test_a_text_passes_exactly_when_it_holds_no_nul(text):
    if "\0" in text:
        with pytest.raises(ValidationError, match="NUL"):
            Outer(name=text)
    else:
        assert Outer(name=text).name in text


def test_a_body_does_not_change_after_it_was_read():
    outer = Outer(name="x")
    with pytest.raises(ValidationError):
        outer.name = "y"


def test_a_form_may_carry_the_token_of_its_page():
    assert PageForm.model_validate({"csrf_token": "abc"}).csrf_token == "abc"
    with pytest.raises(ValidationError):
        PageForm.model_validate({"csrf_token": "abc", "more": "x"})
