"""The console's files: named by content, cached for ever, and exactly the ones that were reviewed."""

import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kernel.web.support import browser, small_app
from watchkeeper.kernel.web.static import FOLDER, StaticFiles

ROOT = Path(__file__).parents[3]
LOCK = json.loads((FOLDER / "vendor/assets.lock.json").read_text(encoding="utf-8"))
OWN = sorted(file for file in FOLDER.iterdir() if file.suffix in (".js", ".css", ".svg"))


@pytest.fixture(scope="module")
def client():
    return browser(small_app())


@pytest.fixture(scope="module")
def files():
    return StaticFiles()


@pytest.mark.parametrize("asset", LOCK["assets"], ids=lambda asset: asset["name"])
def test_each_vendored_file_is_the_one_in_the_lock(asset):
    for name, entry in asset["files"].items():
        content = (FOLDER / "vendor" / asset["folder"] / name).read_bytes()
        assert hashlib.sha512(content).hexdigest() == entry["sha512"], name
    assert asset["integrity"].startswith("sha512-")
    assert "LICENSE" in asset["files"]


def test_nothing_is_vendored_beside_the_lock():
    script = ROOT / "scripts" / "refresh_assets.py"
    done = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "files and lock agree\n")


def test_the_lock_names_no_place_to_fetch_from():
    assert "://" not in json.dumps(LOCK)


@pytest.mark.parametrize("file", OWN, ids=lambda file: file.name)
def test_own_files_are_short_and_call_nobody(file):
    text = file.read_text(encoding="utf-8")
    assert len(text.splitlines()) < 400
    assert not re.search(r"https?://(?!www\.w3\.org/)", text)
    assert "eval(" not in text


def test_a_file_is_cached_for_ever_under_the_name_of_its_content(client, files):
    answer = client.get(files.url("app.css"))
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/css; charset=utf-8"
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"


def test_text_is_sent_compressed_to_those_who_can_read_it(client, files):
    url = files.url("vendor/tabler/tabler.min.css")
    packed = client.get(url, headers={"accept-encoding": "gzip"})
    plain = client.get(url, headers={"accept-encoding": "identity"})
    assert packed.headers["content-encoding"] == "gzip"
    assert int(packed.headers["content-length"]) < len(plain.content) / 5
    assert packed.content == plain.content
    assert packed.headers["vary"] == "Accept-Encoding"


def test_the_style_sheet_names_the_font_by_its_own_address(client, files):
    style = client.get(files.url("app.css")).text
    address = re.search(r'url\("(/static/[^"]+woff2)"\)', style)
    assert address
    assert client.get(address[1]).headers["content-type"] == "font/woff2"


@pytest.mark.parametrize(
    "path",
    [
        "/static/000000000000/app.css",
        "/static/app.css",
        "/static/",
        "/static/x/../../access.py",
        "/static/%2e%2e/access.py",
    ],
)
def test_any_other_address_is_nothing(client, path):
    assert client.get(path).status_code == 404


def test_a_browser_that_asks_by_itself_gets_the_icon(client, files):
    answer = client.get("/favicon.ico")
    assert (answer.status_code, answer.headers["location"]) == (307, files.url("favicon.svg"))


def test_files_are_only_read(client, files):
    assert client.post(files.url("app.css")).status_code == 404
    assert client.head(files.url("app.css")).content == b""


def test_a_module_brings_its_own_files(tmp_path):
    (tmp_path / "a.js").write_text("1", encoding="utf-8")
    assert StaticFiles({"telemetry": tmp_path}).url("telemetry/a.js").endswith("/telemetry/a.js")
    with pytest.raises(KeyError):
        StaticFiles().url("telemetry/a.js")
