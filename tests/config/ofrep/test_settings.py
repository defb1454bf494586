"""Which pages of browsers may ask is said by their origins, and by nothing that only looks like one."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from watchkeeper.modules.config.settings import ConfigSettings


def origins(text: str) -> frozenset[str]:
    return ConfigSettings.model_validate({"ofrep_origins": text}).origins()


def test_origins_are_listed_with_commas() -> None:
    assert origins("https://app.example.com, http://localhost:3000/") == {
        "https://app.example.com",
        "http://localhost:3000",
    }
    assert origins("https://App.Example.com") == {"https://app.example.com"}, "as browsers write it"
    assert origins("") == origins(" , ") == frozenset()


@pytest.mark.parametrize(
    "text", ["*", "null", "app.example.com", "https://a.example/path", "ftp://a.example", "https://"]
)
def test_what_no_browser_would_send_is_refused_at_the_start(text: str) -> None:
    with pytest.raises(ValidationError, match="is no origin"):
        origins(text)
