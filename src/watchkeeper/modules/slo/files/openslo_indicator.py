"""The indicators of OpenSLO's documents: what is measured, and from where."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from watchkeeper.kernel.ops import Complaints, Document, Position
from watchkeeper.kernel.ops.documents import check
from watchkeeper.modules.slo.definition import (
    Availability,
    Composite,
    Counted,
    Freshness,
    Indicator,
    Latency,
    Ratio,
    Responses,
)
from watchkeeper.modules.slo.files.openslo_wire import MetricSource, RatioMetric, SliSpec

Path = tuple[Any, ...]
UNITS: Mapping[str, int] = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
ABOUT = "watchkeeper/about"
_OURS: Mapping[str, type[Availability | Latency | Responses | Freshness | Composite]] = {
    "availability": Availability,
    "latency": Latency,
    "responses": Responses,
    "freshness": Freshness,
    "composite": Composite,
}
_WINDOW = re.compile(r"\{\{\s*\.window\s*\}\}")


@dataclass(frozen=True)
class Measured:
    """An indicator as a file says it: with the unit of its thresholds, and where its parts stand."""

    indicator: Indicator
    unit: str | None
    places: Mapping[Path, Position] = field(default_factory=dict)


@dataclass(frozen=True)
class Place:
    """Where an indicator stands in a document, and whose it is."""

    document: Document
    path: Path
    service: str
    data_sources: frozenset[str]

    def at(self, *path: Any) -> Position:
        return self.document.place((*self.path, *path))


def measured(spec: SliSpec, about: Any, place: Place, complaints: Complaints) -> Measured | None:
    """The indicator; what is wrong is added to `complaints`."""
    if (spec.threshold_metric is None) == (spec.ratio_metric is None):
        complaints.add(place.at(), "either thresholdMetric or ratioMetric")
        return None
    if spec.ratio_metric is not None:
        return _ratio(spec.ratio_metric, about, place, complaints)
    if spec.threshold_metric is not None:
        path = ("thresholdMetric", "metricSource")
        if is_ours(spec.threshold_metric.metric_source):
            return _own(place, (*path, "spec"), complaints)
        complaints.add(
            place.at(*path),
            "type: watchkeeper; what a server holds of a threshold is counted with ratioMetric, over the _bucket and "
            "_count of a histogram",
        )
    return None


def is_ours(source: MetricSource) -> bool:
    """Whether the embedded telemetry is meant."""
    return source.type.lower() == "watchkeeper"


def part(document: Document, path: Path) -> Document:
    """What stands at a path, as a document of its own."""
    value = document.value
    for step in path:
        value = value[step]
    size = len(path)
    places = {one[size:]: at for one, at in document.places.items() if one[:size] == path}
    keys = {one[size:]: at for one, at in document.keys.items() if one[:size] == path and len(one) > size}
    return Document(value, places, keys)


def canonical(document: Document) -> Document:
    """The same with the names of fields as in a definition: `exclude_routes` for `excludeRoutes`."""
    places = {_snake_path(path): at for path, at in document.places.items()}
    keys = {_snake_path(path): at for path, at in document.keys.items()}
    return Document(_snake_value(document.value), places, keys)


def without(document: Document, *names: str) -> Document:
    """The same without some of its fields."""
    value = {name: one for name, one in document.value.items() if name not in names}
    return Document(value, document.places, document.keys)


def has_window(query: str) -> bool:
    """Whether the query tells what was counted in a window, rather than a counter's value."""
    return _WINDOW.search(query) is not None


def _own(place: Place, path: Path, complaints: Complaints) -> Measured | None:
    document = canonical(part(place.document, (*place.path, *path)))
    kind = document.value.get("kind")
    model = _OURS.get(kind) if isinstance(kind, str) else None
    if model is None:
        complaints.add(document.place(("kind",)), f"a kind: one of {', '.join(_OURS)}; two counts stand in ratioMetric")
        return None
    unit = document.value.get("unit")
    takes_unit = model in (Latency, Responses, Freshness)
    if takes_unit and unit not in UNITS:
        complaints.add(document.place(("unit",)), f"the unit of the objectives' values: one of {', '.join(UNITS)}")
        return None
    document = without(document, "unit") if takes_unit else document
    if "service" in model.model_fields:
        document = Document({"service": place.service, **document.value}, document.places, document.keys)
    found = check(document, model, complaints)
    if found is None:
        return None
    places = {("indicator", *one): at for one, at in document.places.items()}
    return Measured(found.value, unit if takes_unit else None, places)


def _ratio(ratio: RatioMetric, about: Any, place: Place, complaints: Complaints) -> Measured | None:
    if ratio.raw is not None:
        if (
            ratio.good
            or ratio.bad
            or ratio.total
            or ratio.raw_type == "failure"
            or not is_ours(ratio.raw.metric_source)
        ):
            complaints.add(
                place.at("ratioMetric", "raw"),
                "good or bad beside total: a share that is computed elsewhere can't be weighted by events. raw with "
                "rawType: success is for type: watchkeeper",
            )
            return None
        return _own(place, ("ratioMetric", "raw", "metricSource", "spec"), complaints)
    if ratio.total is None or (ratio.good is None) == (ratio.bad is None):
        complaints.add(place.at("ratioMetric"), "total, and beside it either good or bad")
        return None
    counts: dict[str, Counted | None] = {}
    places: dict[Path, Position] = {}
    for name, metric in (("good", ratio.good), ("bad", ratio.bad), ("total", ratio.total)):
        if metric is not None:
            path = ("ratioMetric", name, "metricSource")
            counts[name] = _counted(metric.metric_source, ratio.counter, place, path, complaints)
            places["indicator", name] = place.at(*path)
            places["indicator", name, "data_source"] = place.at(*path, "metricSourceRef")
    if None in counts.values():
        return None
    try:
        return Measured(Ratio.model_validate({"about": about or "custom", **counts}), None, places)
    except ValidationError:
        complaints.add(place.at(), f"availability, correctness or custom as {ABOUT}")
        return None


def _counted(source: MetricSource, counter: bool, place: Place, path: Path, complaints: Complaints) -> Counted | None:
    document = canonical(part(place.document, (*place.path, *path, "spec")))
    value = dict(document.value)
    if is_ours(source):
        if "query" not in value and "service" not in value:
            value["service"] = place.service
    elif source.type.lower() in ("prometheus", ""):
        name = source.metric_source_ref or _only(place.data_sources)
        if name is None:
            complaints.add(place.at(*path), "metricSourceRef: the name of a DataSource")
            return None
        query = value.get("query")
        if isinstance(query, str) and "counter_value" not in value:
            value["counter_value"] = counter and not has_window(query)
            if not counter and not has_window(query):
                complaints.add(
                    document.place(("query",)),
                    "a query over [{{.window}}], such as sum(increase(requests_total[{{.window}}])), or counter: true "
                    "where it answers a growing counter",
                )
                return None
        value["data_source"] = name
    else:
        complaints.add(place.at(*path, "type"), f"watchkeeper or Prometheus, found {source.type!r}")
        return None
    found = check(Document(value, document.places, document.keys), Counted, complaints)
    return None if found is None else found.value


def _only(names: frozenset[str]) -> str | None:
    return next(iter(names)) if len(names) == 1 else None


def _snake(name: Any) -> Any:
    return re.sub(r"(?<=[a-z0-9])([A-Z])", lambda one: f"_{one[1].lower()}", name) if isinstance(name, str) else name


def _snake_path(path: Path) -> Path:
    """Names of attributes, below `where`, stay what they are."""
    if "where" in path:
        until = path.index("where")
        return (*(_snake(one) for one in path[:until]), *path[until:])
    return tuple(_snake(one) for one in path)


def _snake_value(value: Any) -> Any:
    if isinstance(value, dict):
        return {_snake(name): one if name == "where" else _snake_value(one) for name, one in value.items()}
    return [_snake_value(one) for one in value] if isinstance(value, list) else value
