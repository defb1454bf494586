"""A file as OpenSLO's users write them: all seven kinds in one, some by name and some where they are used."""

from __future__ import annotations

from datetime import timedelta

from watchkeeper.modules.slo.definition import Counted, Objective, Ratio
from watchkeeper.modules.slo.files.openslo import read_texts
from watchkeeper.modules.slo.files.openslo_export import text_of

SEVEN = """\
apiVersion: openslo/v1
kind: Service
metadata: {name: shop, displayName: The shop}
spec: {description: Where people buy.}
---
apiVersion: openslo/v1
kind: DataSource
metadata: {name: prom}
spec: {type: Prometheus, connectionDetails: {url: "http://127.0.0.1:9090"}}
---
apiVersion: openslo/v1
kind: AlertNotificationTarget
metadata: {name: on-call}
spec: {target: page}
---
apiVersion: openslo/v1
kind: AlertCondition
metadata: {name: fast}
spec:
  severity: page
  condition: {kind: burnrate, op: gte, threshold: 14.4, lookbackWindow: 1h, alertAfter: 5m}
---
apiVersion: openslo/v1
kind: AlertPolicy
metadata: {name: wake-somebody}
spec:
  conditions:
    - conditionRef: fast
    - kind: AlertCondition
      metadata: {name: slow}
      spec:
        severity: page
        condition: {kind: burnrate, op: gte, threshold: 6, lookbackWindow: 6h, alertAfter: 30m}
  notificationTargets:
    - targetRef: on-call
---
apiVersion: openslo/v1
kind: SLI
metadata: {name: answers}
spec:
  ratioMetric:
    counter: true
    good: {metricSource: {metricSourceRef: prom, type: Prometheus, spec: {query: 'sum(requests_total{code!~"5.."})'}}}
    total: {metricSource: {metricSourceRef: prom, type: Prometheus, spec: {query: sum(requests_total)}}}
---
apiVersion: openslo/v1
kind: SLO
metadata: {name: by-reference}
spec:
  service: shop
  indicatorRef: answers
  timeWindow: [{duration: 28d, isRolling: true}]
  budgetingMethod: Occurrences
  objectives: [{target: 0.999}]
  alertPolicies: [wake-somebody]
---
apiVersion: openslo/v1
kind: SLO
metadata: {name: inline}
spec:
  service: shop
  indicator:
    metadata: {name: answers-too}
    spec:
      ratioMetric:
        counter: true
        good: {metricSource: {metricSourceRef: prom, spec: {query: 'sum(requests_total{code!~"5.."})'}}}
        total: {metricSource: {metricSourceRef: prom, spec: {query: sum(requests_total)}}}
  timeWindow: [{duration: 28d, isRolling: true}]
  budgetingMethod: Occurrences
  objectives: [{targetPercent: 99.9}]
  alertPolicies:
    - kind: AlertPolicy
      metadata: {name: its-own}
      spec:
        conditions:
          - kind: AlertCondition
            metadata: {name: at-once}
            spec:
              severity: page
              condition: {kind: burnrate, op: gte, threshold: 14.4, lookbackWindow: 1h, alertAfter: 5m}
          - conditionRef: fast
        notificationTargets: [on-call]
"""


def test_what_is_named_and_what_stands_where_it_is_used_mean_the_same() -> None:
    found = read_texts({"slos/shop.yaml": SEVEN})
    inline, named = sorted(found.definitions, key=lambda one: one.name != "inline")
    assert (named.name, named.service, named.window.rolling) == ("by-reference", "shop", timedelta(days=28))
    assert named.objectives == inline.objectives == (Objective(target=0.999),)
    assert named.indicator == inline.indicator
    assert isinstance(named.indicator, Ratio)
    assert named.indicator.total == Counted(query="sum(requests_total)", data_source="prom", counter_value=True)
    assert [(one.burn, one.long, one.short, one.action) for one in named.alerting.rules or ()] == [
        (14.4, timedelta(hours=1), timedelta(minutes=5), "page"),
        (6, timedelta(hours=6), timedelta(minutes=30), "page"),
    ]
    assert [(one.name, one.url) for one in found.data_sources] == [("prom", "http://127.0.0.1:9090")]


def test_all_of_it_reads_back_equal_from_its_export() -> None:
    found = read_texts({"slos/shop.yaml": SEVEN})
    again = read_texts({"slos/all.yaml": text_of(list(found.definitions), list(found.data_sources))})
    assert {one.name: one for one in again.definitions} == {one.name: one for one in found.definitions}
    assert list(again.data_sources) == list(found.data_sources)
