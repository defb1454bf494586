"""Secrets stay out of the log, by name and by look."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchkeeper.kernel.ids import new_secret
from watchkeeper.kernel.telemetry.redaction import HIDDEN, redact, redact_text


@pytest.mark.parametrize(
    "name",
    [
        "authorization",
        "Set-Cookie",
        "password",
        "new_password",
        "api_key",
        "apiKey",
        "csrf_token",
        "client_secret",
        "private_key",
        "token",
    ],
)
def test_a_field_that_is_named_like_a_secret_is_hidden(name):
    assert redact(name, "swordfish") == HIDDEN
    assert redact("request", {name: "swordfish"}) == {name: HIDDEN}


@pytest.mark.parametrize("name", ["token_id", "secret_name", "tokens_count", "path", "route"])
def test_a_field_that_only_names_one_is_shown(name):
    assert redact(name, "tok_1") == "tok_1"


def test_yes_no_and_nothing_are_no_secrets():
    assert redact("has_password", True) is True
    assert redact("token", None) is None


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgresql://wk:swordfish@db:5432/wk", f"postgresql://wk:{HIDDEN}@db:5432/wk"),
        ("Authorization: Bearer abc.def-ghi", f"Authorization: Bearer {HIDDEN}"),
        ("open http://x/setup/AbCdEfGhIjKlMnOpQrStUv now", f"open http://x/setup/{HIDDEN} now"),
        ("http://x/login/link/AbCdEfGhIjKlMnOpQrStUv", f"http://x/login/link/{HIDDEN}"),
        ("GET /services/duet 200", "GET /services/duet 200"),
    ],
)
def test_a_text_that_looks_like_a_secret_is_hidden_wherever_it_stands(text, shown):
    assert redact("message", text) == shown


@given(
    st.sampled_from(["wkt", "wks", "wkc", "wk"]),
    st.text(alphabet=" ,.:;'\"()[]{}<>=", max_size=5),
    st.text(max_size=20),
)
def test_a_token_of_ours_never_survives_in_any_surrounding(prefix, before, after):
    secret = new_secret(prefix)
    assert secret not in redact_text(f"{before}{secret} {after}")


nested = st.recursive(
    st.text(max_size=9) | st.integers() | st.none() | st.binary(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
)


@given(nested)
def test_whatever_is_logged_comes_out_plain_and_bounded(value):
    def depth(one):
        children = one.values() if isinstance(one, dict) else one if isinstance(one, list) else ()
        return 1 + max(map(depth, children), default=0)

    assert depth(redact("data", value)) <= 8


def test_bytes_are_counted_and_not_shown():
    assert redact("body", b"swordfish") == "9 bytes"
