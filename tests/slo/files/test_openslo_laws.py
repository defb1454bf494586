"""Whatever can be said of an objective, a file can say: export and import are each other's opposite."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from watchkeeper.modules.slo.checks import Known, complaints_about_policy
from watchkeeper.modules.slo.checks import complaints_about as complaints
from watchkeeper.modules.slo.definition import (
    Agreement,
    Alerting,
    AlertRule,
    Availability,
    Composite,
    Counted,
    Credit,
    DataSource,
    Definition,
    Freshness,
    Latency,
    Objective,
    Part,
    Policy,
    PolicyStep,
    Ratio,
    Responses,
    Slices,
    Tier,
    Window,
)
from watchkeeper.modules.slo.files.openslo import read_texts
from watchkeeper.modules.slo.files.openslo_export import text_of

names = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True)
# What YAML takes for something else, among the rest.
words = st.text(
    st.characters(codec="utf-8", exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=12
)
words = (words | st.sampled_from(["no", "1_000", "12:30", "p95", "Main: it", "# 1", "{{.window}}"])).map(str.strip)
words = words.filter(bool)
services = words
shares = st.floats(0.5, 0.99999)
zones = st.sampled_from(["UTC", "Europe/Oslo", "Asia/Kathmandu"])
milliseconds = st.integers(1, 200_000).map(lambda number: timedelta(milliseconds=number))
spans = milliseconds | st.integers(1, 100).map(lambda number: timedelta(hours=number))
attributes = st.dictionaries(words, words, max_size=2)
kinds = st.lists(st.sampled_from(["maintenance", "third_party_outage", "other"]), unique=True, max_size=3).map(tuple)
patterns = st.lists(words, max_size=2).map(tuple)
queries = st.sampled_from(["sum(x)", "sum(rate(x[{{.window}}]))", "sum(increase(x[{{ .window }}]))\n/ 1"])

counted = st.builds(
    Counted, service=services, counter=words, where=attributes, counter_value=st.booleans()
) | st.builds(Counted, service=services, event=words, where=attributes)
asked = st.builds(Counted, query=queries, data_source=st.just("prom"), counter_value=st.booleans(), where=attributes)
asked_of_service = st.builds(Counted, query=queries, data_source=st.just("prom"), service=services)
abouts = st.sampled_from(["availability", "correctness", "custom"])


def ratios(counts: st.SearchStrategy[Counted]) -> st.SearchStrategy[Ratio]:
    return st.builds(Ratio, about=abouts, good=counts, total=counts) | st.builds(
        Ratio, about=abouts, bad=counts, total=counts
    )


chosen: dict[str, Any] = {
    "service": services,
    "environment": st.none() | words,
    "routes": patterns,
    "exclude_routes": patterns,
    "methods": patterns,
}
requests = (
    st.builds(Availability, **chosen, bad=st.sampled_from([("5xx",), ("4xx", "5xx"), ("4xx",)]))
    | st.builds(Availability, **chosen, uncounted=st.just(("4xx",)))
    | st.builds(Latency, **chosen)
)
happenings = st.builds(
    Responses, service=services, started=words, finished=words, key=words, where=attributes
) | st.builds(Freshness, service=services, gauge=words, where=attributes)
composites = st.builds(
    Composite,
    method=st.sampled_from(["weighted", "worst"]),
    parts=st.lists(
        st.builds(Part, slo=st.just("base"), objective=st.none() | st.just("main"), weight=st.floats(0.1, 10)),
        min_size=1,
        max_size=3,
    ).map(tuple),
)
indicators = requests | happenings | ratios(counted) | ratios(asked) | ratios(asked_of_service) | composites
windows = st.builds(
    Window, rolling=st.integers(7, 90).map(lambda days: timedelta(days=days)), time_zone=zones
) | st.builds(Window, calendar=st.sampled_from(["week", "month", "quarter", "year"]), time_zone=zones)
hours = st.integers(1, 72).map(lambda number: timedelta(hours=number))
minutes = st.none() | st.integers(1, 59).map(lambda number: timedelta(minutes=number))
actions = st.sampled_from(["page", "ticket"])
rules = (
    st.builds(AlertRule, burn=st.floats(0.5, 1000), long=hours, short=minutes, action=actions)
    | st.builds(AlertRule, budget=st.floats(0.01, 1), per=hours, long=hours, short=minutes, action=actions)
    | st.builds(AlertRule, misses=st.integers(1, 100), long=hours, short=minutes, action=actions)
)
alertings = st.builds(
    Alerting,
    enabled=st.booleans(),
    rules=st.none() | st.lists(rules, max_size=3).map(tuple),
    minimum_bad_events=st.integers(1, 100),
    silent_after=st.integers(1, 100).map(lambda number: timedelta(minutes=number)),
)
tiers = st.lists(
    st.builds(
        Tier,
        name=words,
        credits=st.builds(lambda share, credit: (Credit(below=share, credit=credit),), st.floats(0.1, 0.49), shares),
        fee=st.none() | st.floats(0, 1e6),
        currency=st.sampled_from(["EUR", "NOK"]),
    ),
    max_size=2,
    unique_by=lambda one: one.name,
).map(tuple)
agreements = st.none() | st.builds(
    Agreement, target=shares, period=st.sampled_from(["month", "quarter"]), time_zone=zones, tiers=tiers, excludes=kinds
)
slices = st.none() | st.builds(
    Slices, length=st.sampled_from([1, 5, 15]).map(lambda number: timedelta(minutes=number)), target=shares
)
SOURCE = DataSource(name="prom", url="http://127.0.0.1:9090")
BASE = Definition.model_validate(
    {
        "name": "base",
        "service": "web",
        "indicator": {"kind": "availability", "service": "web"},
        "objectives": [{"target": 0.99}],
        "window": {"rolling": "30d"},
    }
)
KNOWN = Known(slos={"base": BASE}, data_sources=frozenset({"prom"}))


@st.composite
def definitions(draw: st.DrawFn) -> Definition:
    indicator = draw(indicators)
    objectives = draw(
        st.lists(
            st.builds(
                Objective,
                name=names | st.sampled_from(["main", "p95"]),
                display_name=st.just("") | words | names,
                target=shares,
                threshold=spans if indicator.kind in ("latency", "responses", "freshness") else st.none(),
            ),
            min_size=1,
            max_size=3,
            unique_by=lambda one: one.name,
        )
    )
    return draw(
        st.builds(
            Definition,
            name=names.filter(lambda name: name != "base"),
            display_name=st.just("") | words,
            description=st.just("") | words,
            service=services,
            indicator=st.just(indicator),
            indicator_name=st.none() | names,
            objectives=st.just(tuple(objectives)),
            window=windows,
            slices=slices,
            alerting=alertings,
            excludes=kinds,
            agreement=agreements,
            critical=st.booleans(),
            tags=st.lists(words, max_size=2).map(tuple),
        )
    )


@settings(deadline=None, max_examples=300)
@given(definitions())
def test_what_is_exported_reads_back_equal(definition: Definition) -> None:
    assume(not complaints(definition, KNOWN))
    found = read_texts({"slos/all.yaml": text_of([BASE, definition], [SOURCE])})
    assert {one.name: one for one in found.definitions} == {"base": BASE, definition.name: definition}
    assert list(found.data_sources) == [SOURCE]


policies = st.builds(
    Policy,
    name=names,
    services=st.lists(services, max_size=2).map(tuple),
    description=st.just("") | words,
    burn_window=hours,
    steps=st.lists(
        st.builds(PolicyStep, burn=st.floats(1, 100), action=st.sampled_from(["freeze_all", "emergency"]))
        | st.builds(PolicyStep, budget_left=st.floats(0, 1), action=st.just("freeze_non_critical")),
        max_size=3,
    ).map(tuple),
    postmortem_from=st.floats(0.01, 1),
)
data_sources = st.builds(
    DataSource,
    name=names,
    display_name=st.just("") | words,
    url=st.just("https://prometheus.example/a"),
    scrape_interval=st.integers(1, 60).map(lambda number: timedelta(seconds=number)),
    token_env=st.none() | st.just("PROM_TOKEN"),
    description=st.just("") | words,
)


@settings(deadline=None, max_examples=100)
@given(policies, data_sources)
def test_policies_and_data_sources_read_back_equal(policy: Policy, source: DataSource) -> None:
    assume(not complaints_about_policy(policy, []))
    found = read_texts({"slos/all.yaml": text_of([], [source], [policy])})
    assert list(found.policies) == [policy]
    assert list(found.data_sources) == [source]
