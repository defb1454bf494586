"""What is wrong is refused where it stands, with what was expected and advice; by files, the API and the command."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.slo.support import Stage, slo, token
from watchkeeper.app.cli import cli
from watchkeeper.kernel.ops import OpsInvalid, apply_plan, read_files
from watchkeeper.modules.slo import store
from watchkeeper.modules.slo.ops import SloKind

GOOD = """\
apiVersion: openslo/v1
kind: SLO
metadata: {name: good}
spec:
  service: web
  indicator:
    spec:
      ratioMetric: {rawType: success, raw: {metricSource: {type: watchkeeper, spec: {kind: availability}}}}
  timeWindow: [{duration: 30d}]
  objectives: [{target: 0.99}]
---
"""
RATIO = """\
apiVersion: openslo/v1
kind: SLO
metadata:
  name: api
spec:
  service: web
  indicator:
    spec:
      ratioMetric:
        rawType: success
        raw:
          metricSource:
            type: watchkeeper
            spec: {kind: availability}
  timeWindow:
    - duration: 30d
  objectives:
    - target: 0.999
"""
LATENCY = RATIO.replace("kind: availability", "kind: latency, unit: ms").replace(
    "ratioMetric:\n        rawType: success\n        raw:\n          metric", "thresholdMetric:\n          metric"
)
LATENCY = LATENCY.replace("target: 0.999", "target: 0.9\n      op: lte\n      value: 300")
COMPOSITE = RATIO.replace("{kind: availability}", "{kind: composite, parts: [{slo: other}]}")
OTHER = COMPOSITE.replace("name: api", "name: other").replace("slo: other", "slo: api")
QUERY = RATIO.replace(
    "rawType: success\n        raw:\n          metricSource:\n            type: watchkeeper\n"
    "            spec: {kind: availability}",
    "bad: {metricSource: {type: Prometheus, metricSourceRef: prom, spec: {query: 'sum(rate(e[5m]))'}}}\n"
    "        total: {metricSource: {type: Prometheus, metricSourceRef: prom, spec: {query: 'sum(rate(x[5m]))'}}}",
)
PROM = """\
---
apiVersion: openslo/v1
kind: DataSource
metadata: {name: prom}
spec: {type: Prometheus, connectionDetails: {url: 'http://127.0.0.1:9090'}}
"""

WRONG = {
    "a target of 100 %": (RATIO.replace("0.999", "1"), "18:15", "a target of 100 % leaves no budget"),
    "100 as percentage": (RATIO.replace("target: 0.999", "targetPercent: 100"), "18:22", "100 % leaves no budget"),
    "99 as ratio": (RATIO.replace("0.999", "99"), "18:15", "99% is written 0.99"),
    "no unit": (
        LATENCY.replace(", unit: ms", ""),
        "12:19",
        "the unit of the objectives' values: one of ms, s, m, h, d",
    ),
    "an unknown unit": (LATENCY.replace("unit: ms", "unit: sec"), "12:41", "one of ms, s, m, h, d"),
    "no threshold": (LATENCY.replace("      value: 300\n", ""), "16:7", "a duration above 0: latency needs one"),
    "an unknown SLI": (
        RATIO[: RATIO.index("  indicator:")] + "  indicatorRef: ap\n" + RATIO[RATIO.index("  timeWindow") :],
        "7:17",
        "an SLI that is in these files; ap is none",
    ),
    "an unknown data source": (QUERY.replace("[5m]", "[{{.window}}]"), "10:65", "a data source that is there"),
    "a fixed window": (QUERY + PROM, "10:85", "a query over [{{.window}}]"),
    "a name twice": (f"{RATIO}---\n{RATIO}", "23:9", "each name once, found 'api', which is also at"),
    "a circle": (f"{COMPOSITE}---\n{OTHER}", "14:51", "an SLO that is not made of this one; other is"),
    "an SLO of itself": (COMPOSITE.replace("slo: other", "slo: api"), "14:51", "is not made of this one; api is"),
    "a part that is not there": (COMPOSITE, "14:51", "an SLO that is there; other is none"),
    "a window longer than what is kept": (RATIO.replace("30d", "500d"), "16:7", "a rolling window between 1h and 366d"),
    "an alias": ("x: &a [1]\ny: *a\n", "2:4", "the value itself, found the alias *a"),
    "depth": ("[" * 200 + "]" * 200, "1:31", "at most 30 levels"),
    "a huge file": ("#" * 1_100_000, "1:1", "a file of at most 1 MB"),
    "many values": ("[" + "1," * 60_000 + "1]", "1:", "at most 50,000 values in a file"),
    "a tag": ("x: !!python/object:os.system {}", "1:4", "plain YAML, found the tag"),
    "no kind": ("apiVersion: openslo/v1\n", "1:1", "a kind: one of SLO, SLI"),
}


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_file_is_refused_where_it_is_wrong_and_nothing_is_applied(stage: Stage, case: str) -> None:
    text, where, expected = WRONG[case]
    with pytest.raises(OpsInvalid) as refused, stage.database.begin() as session:
        desired = read_files({"slos/a.yaml": text, "slos/good.yaml": GOOD}, [SloKind()])
        apply_plan(session, desired, [SloKind()], by="alice", at=stage.clock.now())
    one = refused.value.complaints[0]
    assert f"slos/a.yaml:{where}" in one.where
    assert expected in one.expected
    with stage.database.read() as session:
        assert (store.all_definitions(session), stage.facts()) == ([], [])


@pytest.mark.parametrize("case", WRONG)
def test_the_command_says_the_same(tmp_path: Path, case: str) -> None:
    text, where, expected = WRONG[case]
    (tmp_path / "a.yaml").write_text(text, encoding="utf-8")
    result = CliRunner().invoke(cli, ["slo", "validate", str(tmp_path / "a.yaml")])
    assert result.exit_code == 1
    first = result.stderr.splitlines()[0]
    assert f"{tmp_path}/a.yaml:{where}" in first
    assert expected in first


API: dict[str, tuple[dict[str, Any], str, str]] = {
    "a target of 100 %": ({"objectives": [{"target": 1}]}, "body.objectives.0.target", "leaves no budget"),
    "99 as ratio": ({"objectives": [{"target": 99}]}, "body.objectives.0.target", "99% is written 0.99"),
    "no unit": (
        {
            "indicator": {"kind": "latency", "service": "gateway"},
            "objectives": [{"target": 0.9, "threshold": 300}],
        },
        "body.objectives.0.threshold",
        "a duration with its unit",
    ),
    "an unknown data source": (
        {
            "indicator": {
                "kind": "ratio",
                "bad": {"query": "sum(x)", "data_source": "nope"},
                "total": {"query": "sum(x)", "data_source": "nope"},
            }
        },
        "indicator.bad.data_source",
        "a data source that is there",
    ),
    "a circle": (
        {"indicator": {"kind": "composite", "parts": [{"slo": "api"}]}},
        "indicator.parts[0].slo",
        "an SLO that is not made of this one",
    ),
    "names twice": (
        {"objectives": [{"target": 0.9}, {"target": 0.99}]},
        "objectives[0].name",
        "a name of its own; main is there twice",
    ),
    "a window longer than what is kept": ({"window": {"rolling": "500d"}}, "body.window", "between 1h and 366d"),
}


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@pytest.mark.parametrize("case", API)
def test_the_api_refuses_the_same_and_keeps_nothing(stage: Stage, case: str) -> None:
    changes, where, expected = API[case]
    body = {**slo().model_dump(mode="json"), **changes}
    answer = stage.api().post("/api/v1/slos", json=body, headers={**token(), "Idempotency-Key": "k"})
    assert answer.status_code == 422, answer.text
    errors = answer.json()["errors"]
    assert any(one["where"] == where and expected in one["expected"] for one in errors), errors
    with stage.database.read() as session:
        assert store.all_definitions(session) == []
