"""No file names a package registry or a path of somebody's machine."""

from __future__ import annotations

import re

import pytest

from tests.house.tree import shown, tracked

# Put together here, so that this file does not find itself.
HOSTS = [
    "py" + "pi.org",
    "python" + "hosted.org",
    "npm" + "js.org",
    "npm" + "js.com",
    "registry" + "." + "yarn",
    "unpkg" + ".com",
]
HOSTS += ["jsdelivr" + ".net", "debian" + ".org", "crates" + ".io", "proxy.golang" + ".org"]
MACHINE_PATHS = re.compile(
    r"(?<![\w.$}-])/(?:" + "|".join(["root", "work", "home/[a-z]+", "Users/[A-Za-z]+", "opt/py" + "pi"]) + r")/"
)
# Bytes as their packages carry them; addresses in them are never followed.
VENDORED = "src/watchkeeper/kernel/web/static/vendor/"


def complaints(text: str) -> list[str]:
    """The hosts and paths of others that a text names."""
    return [host for host in HOSTS if host in text] + MACHINE_PATHS.findall(text)


def test_no_file_names_a_registry_or_a_machines_path() -> None:
    found = {}
    for path in tracked():
        if shown(path).startswith(VENDORED) and path.name != "assets.lock.json":
            continue
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:  # a picture
            continue
        if broken := complaints(text):
            found[shown(path)] = broken
    assert found == {}


@pytest.mark.parametrize(
    "text", ["https://" + HOSTS[0] + "/simple", "open('/ro" + "ot/x')", "cd /wo" + "rk/main", "/home/al" + "ice/"]
)
def test_an_address_is_found(text: str) -> None:
    assert complaints(text)


@pytest.mark.parametrize("text", ["/root", "$HOME/work/x", "./work/x", "kernel/work/store.py"])
def test_a_place_of_our_own_is_free(text: str) -> None:
    assert not complaints(text)
