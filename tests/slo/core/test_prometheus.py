"""Counts from a Prometheus-compatible server, as it answers and as it fails."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

import pytest

from tests.slo.support import SETTINGS, Stage, slo
from watchkeeper.kernel.outbound import Outbound, parse_networks
from watchkeeper.modules.slo.checks import Known, complaints_about
from watchkeeper.modules.slo.definition import DataSource
from watchkeeper.modules.slo.engine import Engine
from watchkeeper.modules.slo.service import Slos
from watchkeeper.modules.slo.sources_prometheus import Prometheus

LOOPBACK = Outbound(parse_networks("127.0.0.0/8"))


class Server:
    """Answers range queries: `values` by query, a number for each step."""

    def __init__(self) -> None:
        self.answer: Any = None
        self.status = 200
        self.asked: list[dict[str, str]] = []
        self.tokens: list[str | None] = []
        self.per_step: dict[str, Any] = {}
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"])).decode()
                form = {name: values[0] for name, values in parse_qs(body).items()}
                outer.asked.append(form)
                outer.tokens.append(self.headers["authorization"])
                text = outer.answer if outer.answer is not None else json.dumps(outer.matrix(form))
                self.send_response(outer.status)
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *_args: Any) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http.server_address[1]}"

    def matrix(self, form: dict[str, str]) -> Any:
        start, end, step = (int(form[name]) for name in ("start", "end", "step"))
        value = self.per_step.get(form["query"])
        times = range(start, end + 1, step)
        values = [[at, str(value(at) if callable(value) else value)] for at in times]
        result = [] if value is None else [{"metric": {}, "values": values}]
        return {"status": "success", "data": {"resultType": "matrix", "result": result}}


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.http.shutdown()


def counted(query: str, **more: Any) -> dict[str, Any]:
    return {"query": query, "data_source": "prom", **more}


def ratio(**counts: Any) -> dict[str, Any]:
    return {"kind": "ratio", **counts}


BAD, ALL = "sum(increase(bad[{{.window}}]))", "sum(increase(all[{{.window}}]))"
WINDOWED = ratio(bad=counted(BAD), total=counted(ALL))


def asking(stage: Stage, server: Server, indicator: dict[str, Any], **source: Any) -> None:
    said = DataSource.model_validate({"name": "prom", "url": server.url, **source})
    with stage.database.begin() as session:
        Slos(session, stage.clock).put_record(said, by="alice", source="api")
    stage.put(slo(indicator=indicator))
    held: list[Engine] = []
    environ = {"PROM_TOKEN": "t0k3n"}
    prometheus = Prometheus(lambda: held[0].data_sources, LOOPBACK, environ)
    held.append(Engine(stage.database, stage.clock, (prometheus,), SETTINGS))
    stage.engine = held[0]


def test_increases_over_overlapping_windows_count_each_event_once(stage: Stage, server: Server) -> None:
    # Sixty events a minute of which six are bad, by windows of four scrapes.
    server.per_step = {"sum(increase(all[60s]))": 60, "sum(increase(bad[60s]))": 6}
    asking(stage, server, WINDOWED)
    stage.run()
    counts = stage.figures().counts
    assert counts.total == pytest.approx(6 * 60 * 60, rel=0.01)
    assert counts.bad == pytest.approx(counts.total / 10)
    assert counts.measured == pytest.approx(6 * 3600, rel=0.01)


def test_rates_are_turned_into_counts(stage: Stage, server: Server) -> None:
    server.per_step = {"sum(rate(all[60s]))": 2, "sum(rate(bad[60s]))": 0.5}
    indicator = ratio(bad=counted("sum(rate(bad[{{.window}}]))"), total=counted("sum(rate(all[{{ .window }}]))"))
    asking(stage, server, indicator)
    stage.run()
    assert stage.figures().counts.total == pytest.approx(6 * 3600 * 2, rel=0.01)
    assert stage.figures().share == pytest.approx(0.75)


def test_a_counters_value_is_differenced_and_a_restart_of_it_loses_nothing_else(stage: Stage, server: Server) -> None:
    restart = int(stage.clock.now().timestamp()) - 3600
    server.per_step = {"sum(all)": lambda at: (at - restart) if at >= restart else 1_000_000}
    indicator = ratio(good=counted("sum(all)", counter_value=True), total=counted("sum(all)", counter_value=True))
    asking(stage, server, indicator)
    stage.run()
    # An event a second since the restart; before it nothing grew.
    assert stage.figures().counts.total == pytest.approx(3600, abs=30)
    assert stage.figures().share == 1


def test_a_query_over_a_window_is_refused_as_a_counters_value() -> None:
    value = counted("sum(all)", counter_value=True)
    indicator = ratio(good=counted("sum(rate(good[{{.window}}]))", counter_value=True), total=value)
    [complaint] = complaints_about(slo(indicator=indicator), Known(data_sources=frozenset({"prom"})))
    assert complaint.where == "indicator.good.query"
    assert "the counter itself" in complaint.expected


def test_no_bad_series_beside_a_total_is_nothing_bad(stage: Stage, server: Server) -> None:
    server.per_step = {"sum(increase(all[60s]))": 60}
    asking(stage, server, WINDOWED)
    stage.run()
    assert stage.figures().share == 1


def test_no_total_is_nothing_measured(stage: Stage, server: Server) -> None:
    server.per_step = {"sum(increase(bad[60s]))": 0}
    asking(stage, server, WINDOWED)
    stage.run()
    assert stage.figures().counts.measured == 0


def test_the_token_is_sent_and_stays_in_the_environment(stage: Stage, server: Server) -> None:
    server.per_step = {"sum(increase(all[60s]))": 60}
    asking(stage, server, WINDOWED, token_env="PROM_TOKEN")
    stage.run()
    assert set(server.tokens) == {"Bearer t0k3n"}
    assert "t0k3n" not in json.dumps([dict(fact.data) for fact in stage.facts()])


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (
            {"status": "success", "data": {"resultType": "matrix", "result": [{"values": []}, {"values": []}]}},
            "a vector of 2 series; wrap it in sum",
        ),
        (
            {"status": "success", "data": {"resultType": "matrix", "result": [{"values": [[1772452800, "NaN"]]}]}},
            "nan; a count was expected",
        ),
        (
            {"status": "success", "data": {"resultType": "matrix", "result": [{"values": [[1772452800, "-1"]]}]}},
            "a count is not negative",
        ),
        ({"status": "success", "data": {"resultType": "string", "result": [1, "x"]}}, "one number at a time"),
        ({"status": "error", "errorType": "bad_data", "error": "parse error"}, "parse error"),
        ({"status": "success"}, "no answer of Prometheus"),
        (["hello"], "no answer of Prometheus"),
        ({"status": "success", "data": {"resultType": "matrix", "result": [{"values": [["x", "1"]]}]}}, "no answer"),
        ({"status": "success", "data": {"resultType": "matrix", "result": ["x"]}}, "no answer of Prometheus"),
    ],
)
def test_an_answer_that_is_no_count_is_said_and_counts_as_nothing(
    stage: Stage, server: Server, answer: Any, said: str
) -> None:
    server.answer = json.dumps(answer)
    asking(stage, server, WINDOWED)
    stage.run()
    found = stage.figures()
    assert said in (found.problem or "")
    assert found.counts.total == 0


@pytest.mark.parametrize("answer", ["<html>", "[" * 100_000, "{}" + " " * 5_000_000, ""])
def test_a_server_that_answers_nonsense_is_a_problem_and_no_zero(stage: Stage, server: Server, answer: str) -> None:
    server.answer = answer
    asking(stage, server, WINDOWED)
    stage.run()
    assert stage.figures().problem is not None
    assert stage.figures().counts.measured == 0


@pytest.mark.parametrize("status", [301, 401, 500, 503])
def test_a_server_that_refuses_is_a_problem(stage: Stage, server: Server, status: int) -> None:
    server.status, server.answer = status, "no"
    asking(stage, server, WINDOWED)
    stage.run()
    assert stage.figures().problem == f"prom answered {status}"


def test_a_server_that_does_not_answer_is_not_asked_for_every_slo(stage: Stage, server: Server) -> None:
    """Each question may last ten seconds, and every other alert waits."""
    server.status, server.answer = 503, "no"
    asking(stage, server, WINDOWED)
    stage.put(*(slo(f"api-{number}", indicator=WINDOWED) for number in range(40)))
    stage.run()
    looks = 3  # history, the last minutes, and what has just been defined
    assert len(server.asked) <= looks * 8
    assert {stage.figures(f"api-{number}").problem for number in range(40)} == {"prom answered 503"}
    server.status, server.answer = 200, None
    server.per_step = {"sum(increase(all[60s]))": 60}
    stage.run(timedelta(seconds=30))
    assert stage.figures("api-39").problem is None
    assert stage.figures("api-39").burns[timedelta(hours=1)].covered == pytest.approx(1, abs=0.05)
