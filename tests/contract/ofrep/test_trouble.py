"""What real clients make of a server that limits them, and of one that has a bug: their own default, and the reason."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from openfeature import api
from openfeature.contrib.provider.ofrep import OFREPProvider
from openfeature.exception import ErrorCode

from tests.config.ofrep.support import FLAG, document
from tests.config.ofrep.support import Ofrep as InProcess
from tests.conftest import missing
from watchkeeper.kernel.clock import SystemClock
from watchkeeper.modules.config.ofrep_serving import Serving
from watchkeeper.modules.config.rates import Rates

NODE = Path(__file__).parent / "node"


@contextmanager
def listening(ofrep: InProcess) -> Iterator[str]:
    """The app behind a real server, and its address. Its token is called `read`."""
    ofrep.hub.put(document({"FLAG": FLAG, "COUNT": {"type": "integer", "default": 3}}))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(ofrep.mounted, log_config=None, lifespan="off"))
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        thread.join(10)


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    def bug(*_: object) -> bytes:
        raise RuntimeError("a bug")

    monkeypatch.setattr(Serving, "answer", bug)
    with listening(InProcess()) as url:
        yield url


@pytest.fixture
def limited() -> Iterator[str]:
    ofrep = InProcess()
    ofrep.app._rates = Rates(SystemClock(), 2)
    with listening(ofrep) as url:
        yield url


def python(url: str) -> Any:
    provider = OFREPProvider(url, headers_factory=lambda: {"Authorization": "Bearer read"})
    api.set_provider(provider, "trouble")
    return api.get_client("trouble")


def of_node(url: str) -> dict[str, Any]:
    node = shutil.which("node")
    if node is None or not (NODE / "node_modules").exists():
        missing("Node.js and the clients of tests/contract/ofrep/node are missing: scripts/test-deps.sh brings them")
    run = subprocess.run(
        [str(node), "server.mjs", url, "read"], cwd=NODE, capture_output=True, text=True, timeout=60, check=False
    )
    assert run.returncode == 0, run.stderr
    said: dict[str, Any] = json.loads(run.stdout)
    return said


def test_a_bug_leaves_python_with_its_default_and_the_reason(broken: str) -> None:
    details = python(broken).get_integer_details("COUNT", 5)
    assert (details.value, details.reason, details.error_code) == (5, "ERROR", ErrorCode.GENERAL)
    assert "The evaluation failed." in details.error_message


def test_a_bug_leaves_node_with_its_default_and_the_reason(broken: str) -> None:
    said = of_node(broken)["bool"]
    assert (said["value"], said["reason"], said["errorCode"]) == (False, "ERROR", "GENERAL")
    assert said["errorMessage"] == "The evaluation failed."


def test_python_waits_as_long_as_it_was_told_and_goes_on(limited: str) -> None:
    client = python(limited)
    details = [client.get_integer_details("COUNT", 5) for _ in range(4)]
    assert [one.value for one in details] == [3, 3, 5, 5]
    assert "Rate limited, retry after: 1" in details[2].error_message
    time.sleep(1.2)
    assert client.get_integer_details("COUNT", 5).value == 3


def test_node_waits_as_long_as_it_was_told(limited: str) -> None:
    said = of_node(limited)
    assert (said["bool"]["value"], said["bool"]["reason"]) == (False, "DEFAULT")
    # The third question was too many, and the provider asks none after it.
    assert (said["integer"]["value"], said["integer"]["errorCode"]) == (0, "GENERAL")
    assert "TooManyRequests" in said["float"]["errorMessage"]
