"""What docs/explanation/configuration.md publishes about percentages is what the code does."""

from __future__ import annotations

from pathlib import Path

from tests.client.rules.support import asked, snapshot
from watchkeeper_client.rules import bucket
from watchkeeper_client.rules.bucketing import chooser

PAGE = Path(__file__).parents[3] / "docs" / "explanation" / "configuration.md"


def test_the_published_vectors_hold() -> None:
    rows = [
        [cell.strip().strip("`") for cell in line.strip("|").split("|")]
        for line in PAGE.read_text(encoding="utf-8").splitlines()
        if line.startswith(("| `salt` |", "| `other` |"))
    ]
    assert len(rows) == 5
    for salt, user, x, percent, place, chosen in rows:
        assert bucket(salt, user) == int(x)
        assert f"{int(x) / 2**32 * 100:.4f}" == percent
        assert bucket(f"{salt}:variant", user) == int(place)
        assert (chooser(salt, 25, {"blue": 1, "red": 1})(user) or "outside") == chosen
        assert served(salt, user) == chosen


def served(salt: str, user: str) -> str:
    """What a flag of this salt serves, its weights written the other way round."""
    state = {"serve": {"percent": 25, "variants": {"red": 1, "blue": 1}}}
    variants = {"outside": "-", "red": "r", "blue": "b"}
    flag = {"type": "flag", "variants": variants, "default": "outside", "off": "outside", "salt": salt, "value": state}
    return asked(snapshot({"F": flag}), "F", user).variant
