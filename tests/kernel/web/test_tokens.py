"""The colours of both themes keep the contrast that WCAG 2.2 AA asks for."""

import re

import pytest

from watchkeeper.kernel.web.static import FOLDER

STYLE = (FOLDER / "app.css").read_text(encoding="utf-8")
TEXT, DRAWING = 4.5, 3.0
PAIRS = [
    *(
        (text, ground, TEXT)
        for text in ("text", "soft", "muted", "accent-text")
        for ground in ("ground", "surface", "sunk")
    ),
    *((tone, f"{tone}-wash", TEXT) for tone in ("ok", "warning", "danger", "info")),
    *((tone, "surface", TEXT) for tone in ("ok", "warning", "danger", "info")),
    *((f"{tone}-mark", "surface", DRAWING) for tone in ("ok", "danger", "info")),
    *((f"series-{n}", "surface", DRAWING) for n in range(1, 7)),
    ("on-accent", "accent", TEXT),
    ("accent-text", "accent-wash", TEXT),
    ("accent", "surface", DRAWING),
    ("accent", "ground", DRAWING),
    ("line-input", "surface", DRAWING),
]


def block(theme: str) -> str:
    return re.search(rf'\[data-bs-theme="{theme}"\] \{{\n(.*?)\n\}}', STYLE, re.DOTALL)[1]


def tokens(theme: str) -> dict[str, str]:
    return dict(re.findall(r"--wk-([a-z0-9-]+):\s*(#[0-9a-f]{6})", block(theme)))


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(("front", "ground", "least"), PAIRS)
def test_what_is_read_stands_out_from_its_ground(theme, front, ground, least):
    colours = tokens(theme)
    assert contrast(colours[front], colours[ground]) >= least


def test_without_javascript_dark_is_the_same_dark():
    fallback = re.search(r":root:not\(\[data-bs-theme\]\) \{\n(.*?)\n  \}", STYLE, re.DOTALL)[1]
    assert fallback.split() == block("dark").split()


def test_both_themes_know_the_same_colours():
    assert tokens("light").keys() == tokens("dark").keys()
