"""Real clients of three languages and kinds get what the server means."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from openfeature import api
from openfeature.contrib.provider.ofrep import OFREPProvider
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import ErrorCode

from tests.conftest import missing
from tests.contract.ofrep.conftest import Ofrep

NODE = Path(__file__).parent / "node"
SWEDEN = {"targetingKey": "u1", "country": "SE"}
NORWAY = {"targetingKey": "u1", "country": "NO"}


@pytest.fixture
def node() -> str:
    found = shutil.which("node")
    if found is None or not (NODE / "node_modules").exists():
        missing("Node.js and the clients of tests/contract/ofrep/node are missing: scripts/test-deps.sh brings them")
    return str(found)


def test_the_provider_of_python_reads_every_type(ofrep: Ofrep) -> None:
    provider = OFREPProvider(
        ofrep.server.url, headers_factory=lambda: {"Authorization": f"Bearer {ofrep.token}"}, timeout=60
    )
    api.set_provider(provider, "ofrep")
    client = api.get_client("ofrep")
    norway = EvaluationContext("u1", {"country": "NO"})
    flag = client.get_boolean_details("FLAG", False, norway)
    assert (flag.value, flag.variant, flag.reason, flag.flag_metadata["layer"]) == (
        True,
        "on",
        "TARGETING_MATCH",
        "segment",
    )
    assert client.get_boolean_value("FLAG", True, EvaluationContext("u1", {"country": "SE"})) is False
    assert client.get_integer_value("COUNT", 0) == 3
    assert client.get_float_details("RATIO", 0.5).error_code is None
    assert client.get_string_value("WAIT", "") == "1h30m"
    assert client.get_object_value("SHAPE", {}) == {"a": [1, 2.5]}
    assert client.get_boolean_details("NOBODY_KNOWS", True).error_code is ErrorCode.FLAG_NOT_FOUND
    assert client.get_boolean_details("a/b", True).error_code is ErrorCode.FLAG_NOT_FOUND
    assert client.get_string_details("NOTHING", "mine").value == "mine"


def test_a_wrong_token_leaves_python_with_its_default(ofrep: Ofrep) -> None:
    provider = OFREPProvider(ofrep.server.url, headers_factory=lambda: {"Authorization": "Bearer nonsense"})
    api.set_provider(provider, "refused")
    details = api.get_client("refused").get_boolean_details("FLAG", True)
    assert (details.value, details.reason) == (True, "ERROR")


def test_the_provider_of_node_reads_every_type(ofrep: Ofrep, node: str) -> None:
    run = subprocess.run(
        [node, "server.mjs", ofrep.server.url, ofrep.token], cwd=NODE, capture_output=True, text=True, timeout=60
    )
    assert run.returncode == 0, run.stderr
    said: dict[str, Any] = json.loads(run.stdout)
    values = {name: one["value"] for name, one in said.items()}
    assert values["bool"] is True
    assert values["elsewhere"] is False
    assert (values["integer"], values["float"]) == (3, 2)
    assert values["object"] == {"a": [1, 2.5]}
    assert said["bool"]["flagMetadata"]["detail"] == "country_NO"
    assert {said[name]["errorCode"] for name in ("unknown", "slash", "secret")} == {"FLAG_NOT_FOUND"}
    assert (values["secret"], said["refused"]["reason"], values["refused"]) == ("mine", "ERROR", True)


def test_the_provider_of_browsers_is_never_left_with_values_of_another_context(ofrep: Ofrep, node: str) -> None:
    commands = [{"context": NORWAY}, {"context": NORWAY}, {"context": {**SWEDEN, "targetingKey": "u2"}}, {"end": True}]
    run = subprocess.run(
        [node, "web.mjs", ofrep.server.url, ofrep.token],
        cwd=NODE,
        input="".join(json.dumps(one) + "\n" for one in commands),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert run.returncode == 0, run.stderr
    first, moved, same, other, _ = [json.loads(line) for line in run.stdout.splitlines()]
    assert (first["flag"]["value"], first["asked"]) == (False, [{"status": 200, "etag": None}])
    # It re-sends the ETag although only an attribute changed; 304 would leave it with Sweden's values.
    assert moved["asked"][0]["etag"] is not None
    assert (moved["flag"]["value"], moved["asked"][0]["status"]) == (True, 200)
    assert (same["flag"]["value"], same["asked"][0]["status"]) == (True, 304)
    assert (other["flag"]["value"], other["asked"][0]["status"]) == (False, 200)
    assert first["ratio"]["value"] == 2
