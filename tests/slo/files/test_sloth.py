"""Files of Sloth, as their users have them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from watchkeeper.kernel.ops import OpsInvalid
from watchkeeper.modules.slo.checks import Known
from watchkeeper.modules.slo.definition import Ratio
from watchkeeper.modules.slo.files.openslo import read_texts

KNOWN = Known(data_sources=frozenset({"prometheus"}))
TWO = """\
version: "prometheus/v1"
service: "shop"
labels:
  team: "checkout"
slos:
  # One in a thousand may fail.
  - name: "orders-availability"
    objective: 99.9
    description: "Orders that can be placed."
    labels:
      category: availability
    sli:
      events:
        error_query: sum(rate(http_requests_total{job="shop",code=~"(5..|429)"}[{{.window}}]))
        total_query: sum(rate(http_requests_total{job="shop"}[{{.window}}]))
    alerting:
      name: ShopHighErrorRate
      labels:
        category: "availability"
      annotations:
        runbook: "https://runbooks.example/shop"
      page_alert:
        labels:
          severity: pageteam
      ticket_alert:
        labels:
          severity: "slack"
          slack_channel: "#alerts-shop"
  - name: Orders Latency
    objective: 99
    sli:
      events:
        error_query: |
          (
            sum(rate(http_request_duration_seconds_count{job="shop"}[{{ .window }}]))
            -
            sum(rate(http_request_duration_seconds_bucket{job="shop",le="0.5"}[{{ .window }}]))
          )
        total_query: sum(rate(http_request_duration_seconds_count{job="shop"}[{{.window}}]))
    alerting:
      page_alert:
        disable: true
      ticket_alert:
        disable: true
"""


def test_each_objective_of_a_file_is_an_slo_over_thirty_days() -> None:
    orders, latency = sorted(
        read_texts({"a.yaml": TWO}, KNOWN).definitions, key=lambda one: one.objectives[0].target, reverse=True
    )
    assert (orders.name, orders.service, orders.description) == (
        "shop-orders-availability",
        "shop",
        "Orders that can be placed.",
    )
    assert [one.target for one in orders.objectives] == [0.999]
    assert orders.window.rolling == timedelta(days=30)
    assert (orders.alerting.enabled, orders.alerting.rules) == (True, None)
    assert isinstance(orders.indicator, Ratio)
    assert orders.indicator.bad is not None
    assert orders.indicator.bad.query == 'sum(rate(http_requests_total{job="shop",code=~"(5..|429)"}[{{.window}}]))'
    assert orders.indicator.total.data_source == "prometheus"
    assert (latency.name, latency.display_name, latency.alerting.enabled) == (
        "shop-orders-latency",
        "Orders Latency",
        False,
    )


def test_one_alert_that_is_off_leaves_the_pairs_of_the_other() -> None:
    text = TWO.replace("        disable: true\n      ticket", "        disable: false\n      ticket")
    found = {one.name: one for one in read_texts({"a.yaml": text}, KNOWN).definitions}
    rules = found["shop-orders-latency"].alerting.rules
    assert rules is not None
    assert [(one.burn, one.action) for one in rules] == [(14.4, "page"), (6.0, "page")]


@pytest.mark.parametrize(
    ("change", "to", "where", "expected"),
    [
        ("objective: 99.9", "objective: 100", "8:16", "100 % leaves no budget"),
        ("rate(http_requests_total{job=\"shop\"}[{{.window}}])", "rate(x[5m])", "15:22", "a query over [{{.window}}]"),
        ("version: \"prometheus/v1\"", "version: prometheus/v2", "1:10", "'prometheus/v1'"),
        ("    objective: 99\n", "", "29:5", "the field slos.1.objective"),
        ("Orders Latency", "orders-availability", "29:11", "each name once"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_where_it_stands(change: str, to: str, where: str, expected: str) -> None:
    assert change in TWO
    with pytest.raises(OpsInvalid) as refused:
        read_texts({"a.yaml": TWO.replace(change, to)}, KNOWN)
    one = refused.value.complaints[0]
    assert (one.where, expected in one.expected) == (f"a.yaml:{where}", True), one


@pytest.mark.parametrize("sli", ["raw: {error_ratio_query: x}", "plugin: {id: a, options: {}}"])
def test_a_share_alone_is_refused_with_the_reason(sli: str) -> None:
    start, end = TWO.index("      events:"), TWO.index("    alerting:")
    text = TWO[:start] + f"      {sli}\n" + TWO[end:]
    with pytest.raises(OpsInvalid) as refused:
        read_texts({"a.yaml": text}, KNOWN)
    assert "can't be weighted by events" in refused.value.complaints[0].expected
