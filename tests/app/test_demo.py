"""`watchkeeper demo` for real: everything comes up, can be seen, and is gone afterwards."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.support.running import eventually
from watchkeeper.app.configuration import load_configuration
from watchkeeper.app.local import connect

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="reads /proc, and only Linux ends children of the killed"
)
_SERVICES = {"duet-gateway", "duet-matching", "duet-chat"}
_REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Demo:
    """A demo that was started, and where it writes."""

    process: subprocess.Popen[bytes]
    data: Path
    output: Path

    def said(self) -> str:
        return self.output.read_text(encoding="utf-8")

    def link(self) -> str:
        """The link that signs in, as soon as it is printed."""
        return eventually(lambda: re.search(r"http://\S+/login/link/\S+", self.said()), within=90).group()

    def ended(self) -> int:
        """Its exit code."""
        return self.process.wait(30)


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "watchkeeper", "demo", "--port", "0", *arguments]


@contextmanager
def demo(tmp_path: Path, *arguments: str) -> Iterator[Demo]:
    data, output = tmp_path / "demo", tmp_path / "output.txt"
    with output.open("wb") as file:
        process = subprocess.Popen(
            command("--data", str(data), *arguments), cwd=_REPOSITORY, stdout=file, stderr=subprocess.STDOUT
        )
    try:
        yield Demo(process, data, output)
    finally:
        process.kill()
        process.wait()
        eventually(lambda: not processes_of(data))


def processes_of(data: Path) -> list[int]:
    """Processes that were told of this directory, by an argument or a variable."""
    found = []
    for directory in Path("/proc").iterdir():
        if not directory.name.isdigit():
            continue
        try:
            told = (directory / "cmdline").read_bytes() + (directory / "environ").read_bytes()
        except OSError:  # it has just ended, or is none of ours
            continue
        if str(data).encode() in told:
            found.append(int(directory.name))
    return found


def phones(started: Demo, about: str) -> list[dict[str, str]]:
    """What the phones of the product's people got about something."""
    file = started.data / "logs" / "phones.jsonl"
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    return [said for said in map(json.loads, lines) if about in said["title"]]


def test_it_shows_the_product_and_signs_in_and_control_c_ends_all_of_it(tmp_path: Path) -> None:
    with demo(tmp_path, "--rate", "30") as started:
        link = started.link()
        eventually(lambda: all(f"{name}: its data is visible" in started.said() for name in _SERVICES), within=40)

        with connect(load_configuration({}, data=started.data)) as client:
            catalog = {one["name"]: one for one in client.get("/api/v1/services").json()["items"]}
            assert catalog.keys() >= _SERVICES
            assert all(catalog[name]["owner"] for name in _SERVICES)
            assert client.get("/api/v1/telemetry/logs", params={"service": "duet-gateway"}).json()["items"]
            on_call = {one["schedule"]: one["who"]["name"] for one in client.get("/api/v1/oncall/now").json()["items"]}
            assert on_call.keys() == {"primary", "safety"}
            # A job of Duet's that failed calls whoever is on call, on a phone that the demo answers for.
            backup = client.get("/api/v1/alerts/heartbeats/daily-backup").json()
            assert client.post(f"{backup['ping_path']}/fail").is_success
            paged = eventually(lambda: phones(started, "daily-backup"), within=60)
            assert paged[0]["to"] == f"phone-{on_call['primary'].split()[0].lower()}"
        assert signs_in(link)
        assert not signs_in(link)
        assert len(processes_of(started.data)) >= 6  # demo, server, supervisor, three services

        started.process.send_signal(signal.SIGINT)
        assert started.ended() == 0
        assert processes_of(started.data) == []
        assert link not in (started.data / "logs" / "watchkeeper.log").read_text(encoding="utf-8")


def test_it_ends_by_itself_after_the_time_that_was_asked_for(tmp_path: Path) -> None:
    with demo(tmp_path, "--for", "6", "--release", "v2", "--release", "chat=v1") as started:
        assert started.ended() == 0
        assert "Everything has stopped." in started.said()
        assert processes_of(started.data) == []


def test_nothing_outlives_a_demo_that_is_killed(tmp_path: Path) -> None:
    with demo(tmp_path) as started:
        started.link()
        eventually(lambda: len(processes_of(started.data)) >= 6)
        started.process.kill()
        eventually(lambda: not processes_of(started.data))


def test_a_part_that_dies_ends_the_demo_with_its_last_words(tmp_path: Path) -> None:
    with demo(tmp_path) as started:
        started.link()
        server = next(pid for pid in processes_of(started.data) if b"demo_server" in command_line(pid))
        os.kill(server, signal.SIGKILL)
        assert started.ended() == 1
        assert "watchkeeper ended with code -9" in started.said()
        assert processes_of(started.data) == []


def test_a_second_demo_on_the_same_directory_is_refused(tmp_path: Path) -> None:
    with demo(tmp_path, "--rate", "0") as started:
        started.link()
        second = subprocess.run(command("--data", str(started.data)), cwd=_REPOSITORY, capture_output=True, text=True)
        assert second.returncode == 1
        assert "is the demo running already?" in second.stderr


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    with demo(tmp_path, "--rate", "0") as started:
        port = str(httpx.URL(started.link()).port)
        other = tmp_path / "other"
        arguments = [*command("--data", str(other)), "--port", port]
        second = subprocess.run(arguments, cwd=_REPOSITORY, capture_output=True, text=True)
        assert second.returncode == 1
        assert f"can't listen on 127.0.0.1:{port}" in second.stderr
        assert processes_of(other) == []


def test_a_release_that_does_not_exist_ends_the_demo_with_the_products_own_words(tmp_path: Path) -> None:
    with demo(tmp_path, "--release", "v9") as started:
        assert started.ended() == 1
        assert "v9" in started.said()


def test_without_the_product_it_says_where_to_find_it(tmp_path: Path) -> None:
    done = subprocess.run(command("--product", str(tmp_path / "nowhere")), cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1
    assert "there is no sample product" in done.stderr
    assert not (tmp_path / "watchkeeper-data").exists()


def command_line(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()


def signs_in(link: str) -> bool:
    """Whether pressing the button behind the link opens the console."""
    with httpx.Client(trust_env=False, follow_redirects=True) as browser:
        page = browser.get(link)
        token = re.search(r'name="csrf_token" value="([^"]+)"', page.text)
        if token is None:
            return False
        origin = str(httpx.URL(link).copy_with(raw_path=b"/")).rstrip("/")
        home = browser.post(link, data={"csrf_token": token.group(1)}, headers={"Origin": origin})
        return home.is_success and 'href="/account"' in home.text
