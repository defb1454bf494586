"""The same counters for our engine and for promtool."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import yaml

from watchkeeper.kernel.outbound import Answer, Outbound
from watchkeeper.modules.slo.definition import DataSource, Definition
from watchkeeper.modules.slo.promrules.events import Setting
from watchkeeper.modules.slo.promrules.text import rules_text

PROMTOOL = shutil.which("promtool")
_QUERY = re.compile(r"sum\(increase\((\w+)\[([0-9]+)s\]\)\)")


@dataclass(frozen=True)
class Piece:
    """A stretch of even traffic: events a minute, and which share of them is bad."""

    lasts: timedelta
    events: float = 1_200.0
    error: float = 0.0


@dataclass(frozen=True)
class Stream:
    """Two counters that are scraped every `step` seconds from 0 on."""

    name: str
    pieces: Sequence[Piece]
    step: int

    @property
    def length(self) -> timedelta:
        return sum((piece.lasts for piece in self.pieces), timedelta(0))

    def series(self) -> dict[str, str]:
        """As promtool writes them: `0+5x100 505+7x20`."""
        return {f"{self.name}_{kind}": " ".join(self._parts(kind)) for kind in ("all", "bad")}

    def values(self, kind: str) -> list[float]:
        """What each scrape reads."""
        found = [0.0]
        for piece in self.pieces:
            for _ in range(self._scrapes(piece)):
                found.append(found[-1] + self._grows(piece, kind))
        return found

    def _parts(self, kind: str) -> list[str]:
        now, found = 0.0, ["0"]
        for piece in self.pieces:
            grows, count = self._grows(piece, kind), self._scrapes(piece)
            found.append(f"{now + grows:.9g}+{grows:.9g}x{count - 1}")
            now += grows * count
        return found

    def _grows(self, piece: Piece, kind: str) -> float:
        return piece.events * self.step / 60 * (piece.error if kind == "bad" else 1.0)

    def _scrapes(self, piece: Piece) -> int:
        return round(piece.lasts.total_seconds()) // self.step


@dataclass(frozen=True)
class Counters(Outbound):
    """Answers range queries of `sum(increase(…))` as Prometheus does for counters that are scraped on time."""

    streams: Sequence[Stream] = ()
    start: int = 0
    _values: dict[str, list[float]] = field(default_factory=dict)

    def ask(self, url: str, body: bytes, headers: Mapping[str, str] | None = None, *, largest: int = 0) -> Answer:
        form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
        asked = _QUERY.fullmatch(form["query"])
        assert asked is not None, form["query"]
        values = self._of(asked[1])
        window, step = int(asked[2]), self.streams[0].step
        points = []
        for at in range(int(form["start"]), int(form["end"]) + 1, int(form["step"])):
            last = (at - self.start) // step
            if 0 < last < len(values):
                points.append([at, str(values[last] - values[max(0, last - window // step)])])
        answer = {"resultType": "matrix", "result": [{"metric": {}, "values": points}] if points else []}
        return Answer(200, json.dumps({"status": "success", "data": answer}).encode())

    def _of(self, name: str) -> list[float]:
        if name not in self._values:
            stream, kind = name.rsplit("_", 1)
            self._values[name] = next(one for one in self.streams if one.name == stream).values(kind)
        return self._values[name]


def ratio_of(name: str, step: int, **changes: Any) -> Definition:
    """An SLO over the counters of a stream."""

    def asked(kind: str) -> dict[str, str]:
        metric = f"{name.replace('-', '_')}_{kind}"
        return {"query": f"sum(increase({metric}[{{{{.window}}}}]))", "data_source": f"prom-{step}"}

    said: dict[str, Any] = {
        "name": name,
        "service": "gateway",
        "indicator": {"kind": "ratio", "bad": asked("bad"), "total": asked("all")},
        "objectives": [{"target": 0.999}],
        "window": {"rolling": "30d"},
    }
    return Definition.model_validate({**said, **changes})


def source_of_step(step: int) -> DataSource:
    return DataSource(name=f"prom-{step}", url="http://127.0.0.1:9090", scrape_interval=timedelta(seconds=step))


def written(definitions: Sequence[Definition], step: int = 15) -> str:
    """The rules of these SLOs."""
    source = source_of_step(step)
    setting = Setting({source.name: source}, {one.name: one for one in definitions})
    return rules_text(definitions, setting)[0]


def check_rules(folder: Path, text: str) -> None:
    """Fails when `promtool check rules` refuses them; they stay in the folder."""
    (folder / "rules.yaml").write_text(text, encoding="utf-8")
    done = subprocess.run([str(PROMTOOL), "check", "rules", "rules.yaml"], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def run_rules(
    folder: Path,
    text: str,
    series: Mapping[str, str],
    step: int,
    expected: Sequence[tuple[timedelta, str, float | None]],
) -> None:
    """Fails unless each expression has this one value (None: no value) at this time."""
    check_rules(folder, text)
    groups = [group["name"] for group in yaml.safe_load(text)["groups"]]
    test = {
        "rule_files": ["rules.yaml"],
        "evaluation_interval": f"{step}s",
        "group_eval_order": groups,
        "tests": [
            {
                "interval": f"{step}s",
                "input_series": [{"series": name, "values": values} for name, values in series.items()],
                "promql_expr_test": [
                    {
                        "expr": expression,
                        "eval_time": f"{round(at.total_seconds())}s",
                        "exp_samples": [] if value is None else [{"labels": "{}", "value": value}],
                    }
                    for at, expression, value in expected
                ],
            }
        ],
    }
    (folder / "test.yaml").write_text(yaml.safe_dump(test), encoding="utf-8")
    done = subprocess.run([str(PROMTOOL), "test", "rules", "test.yaml"], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
