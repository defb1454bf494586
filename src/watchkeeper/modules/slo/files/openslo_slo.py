"""One SLO document of OpenSLO to a definition."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from difflib import get_close_matches
from typing import Any, Literal

from pydantic import ValidationError

from watchkeeper.kernel.ops import Complaints, Document, Located, Position
from watchkeeper.modules.slo.definition import NAME, Agreement, AlertRule, DataSource, Definition, Policy, parse_span
from watchkeeper.modules.slo.files.openslo_alerts import Rules
from watchkeeper.modules.slo.files.openslo_indicator import ABOUT, UNITS, Measured, Place, measured
from watchkeeper.modules.slo.files.openslo_wire import Metadata, ObjectiveSpec, SloDocument, SloSpec, TimeWindow

Path = tuple[Any, ...]
Period = Literal["day", "week", "month", "quarter", "year"]
PERIODS: Mapping[str, Period] = {
    "1d": "day", "1w": "week", "7d": "week", "1M": "month", "1Q": "quarter", "3M": "quarter",
    "1Y": "year", "12M": "year",
}  # fmt: skip
_PREFIX = "watchkeeper/"
MINIMUM = "watchkeeper/minimum-bad-events"
SILENT = "watchkeeper/silent-after"
EXCLUDES = "watchkeeper/excludes"
CRITICAL = "watchkeeper/critical"
ALERTING = "watchkeeper/alerting"
OBJECTIVES = "watchkeeper/objectives"
TIME_ZONE = "watchkeeper/time-zone"
ANNOTATIONS = (MINIMUM, SILENT, EXCLUDES, CRITICAL, ALERTING, OBJECTIVES, TIME_ZONE)


@dataclass
class Entry:
    """One document that is checked by itself. `meaning` is what it says together with the others.

    The name of an SLO is its own, that of other kinds begins with the kind.
    """

    kind: str
    name: str
    value: Any
    meaning: Definition | DataSource | Policy | None = None
    # All definitions of the same files: parts of composites may come later.
    context: Mapping[str, Definition] = field(default_factory=dict)

    def model_dump(self) -> dict[str, Any]:
        """What it says, to compare."""
        said: dict[str, Any] = self.value.model_dump()
        return {"name": self.name, **said}


@dataclass(frozen=True)
class Made:
    """A definition, and where the parts of its canonical form stand in the files."""

    definition: Definition
    entry: Located[Any]
    places: Mapping[Path, Position]

    def place(self, path: Path) -> Position:
        """Where this stands, or what is around it."""
        return place_in(self.places, path, self.entry.document)


@dataclass(frozen=True)
class Around:
    """What an SLO may refer to."""

    documents: Mapping[str, Located[Any]]
    rules: Rules
    agreements: Mapping[str, tuple[Agreement, Mapping[Path, Position]]]
    data_sources: frozenset[str]
    complaints: Complaints


def place_in(places: Mapping[Path, Position], path: Path, document: Document) -> Position:
    """Where a path of the canonical form stands, or the nearest thing around it."""
    while path and path not in places:
        path = path[:-1]
    return places.get(path, document.at)


def definition_of(entry: Located[Any], around: Around) -> Made | None:
    """The definition; what is wrong is added to the complaints."""
    document: SloDocument = entry.value.value
    spec, of, complaints = document.spec, entry.document, around.complaints
    places: dict[Path, Position] = {
        ("name",): of.place(("metadata", "name")),
        ("service",): of.place(("spec", "service")),
        ("window",): of.place(("spec", "timeWindow", 0)),
        ("objectives",): of.place(("spec", "objectives")),
        ("slices",): of.place(("spec", "objectives", 0, "timeSliceWindow")),
        ("alerting", "silent_after"): of.place(("metadata", "annotations", SILENT)),
        ("indicator",): of.place(("spec", "indicator")),
    }
    annotations = _annotations(document.metadata, of, complaints)
    found = _indicator(spec, of, around)
    window = _window(spec.time_window[0], annotations.get(TIME_ZONE, "UTC"), of, complaints)
    # Where the indicator is wrong, nobody knows yet whether its unit fits.
    unit = found[0].unit if found is not None else "ms"
    objectives = _objectives(spec, annotations.get(OBJECTIVES), unit, of, places, complaints)
    slices = _slices(spec, of, complaints)
    rules: list[AlertRule] | None = None
    if spec.alert_policies is not None:
        placed = around.rules.of(spec.alert_policies, of, ("spec", "alertPolicies"))
        rules = [rule for rule, _ in placed]
        places |= {("alerting", "rules", number): at for number, (_, at) in enumerate(placed)}
    if found is None or window is None or objectives is None or slices is False:
        return None
    places |= found[0].places
    agreement = around.agreements.get(document.metadata.name)
    if agreement is not None:
        places |= agreement[1]
    said = {
        **_said_once(document, annotations),
        "indicator": found[0].indicator,
        "indicator_name": found[1],
        "objectives": objectives,
        "window": window,
        "slices": slices,
        "agreement": agreement[0] if agreement else None,
    }
    said["alerting"]["rules"] = rules
    return _checked(said, entry, places, complaints)


def _said_once(document: SloDocument, annotations: Mapping[str, Any]) -> dict[str, Any]:
    """What the document says of its SLO without anything around it."""
    return {
        "name": document.metadata.name,
        "display_name": document.metadata.display_name,
        "description": document.spec.description,
        "service": document.spec.service,
        "alerting": {
            "enabled": annotations.get(ALERTING, True),
            **{
                name: annotations[key]
                for name, key in (("minimum_bad_events", MINIMUM), ("silent_after", SILENT))
                if key in annotations
            },
        },
        "tags": _tags(document.metadata),
        **{
            name: annotations[key]
            for name, key in (("excludes", EXCLUDES), ("critical", CRITICAL))
            if key in annotations
        },
    }


def _checked(
    said: Mapping[str, Any], entry: Located[Any], places: Mapping[Path, Position], complaints: Complaints
) -> Made | None:
    try:
        return Made(Definition.model_validate(said), entry, places)
    except ValidationError as error:
        for problem in error.errors():
            text = problem["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
            complaints.add(place_in(places, tuple(problem["loc"]), entry.document), text.removesuffix(" was expected"))
        return None


def derived_names(objectives: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """(name, display name) of objectives of which only display names are told."""
    found = []
    for number, (_, shown) in enumerate(objectives, start=1):
        if re.fullmatch(NAME, shown):
            found.append((shown, ""))
            continue
        slug = re.sub(r"[^a-z0-9]+", "-", shown.lower())[:63].strip("-")
        found.append((slug or ("main" if len(objectives) == 1 else f"objective-{number}"), shown))
    return found


def _indicator(spec: SloSpec, of: Document, around: Around) -> tuple[Measured, str | None] | None:
    """The indicator and its name."""
    complaints = around.complaints
    if (spec.indicator is None) == (spec.indicator_ref is None):
        complaints.add(of.place(("spec",)), "either indicator or indicatorRef")
        return None
    if spec.indicator is not None:
        metadata = spec.indicator.metadata
        place = Place(of, ("spec", "indicator", "spec"), spec.service, around.data_sources)
        found = measured(spec.indicator.spec, metadata and metadata.annotations.get(ABOUT), place, complaints)
        own = of.value["metadata"]["name"]
        named = metadata is not None and (metadata.name != own or "watchkeeper/named" in metadata.annotations)
        return None if found is None else (found, metadata.name if metadata and named else None)
    located = around.documents.get(f"SLI {spec.indicator_ref}")
    if located is None:
        known = [name.removeprefix("SLI ") for name in around.documents if name.startswith("SLI ")]
        close = get_close_matches(str(spec.indicator_ref), known, n=1)
        hint = f": did you mean {close[0]}?" if close else ""
        complaints.add(
            of.place(("spec", "indicatorRef")),
            f"an SLI that is in these files; {spec.indicator_ref} is none{hint}",
        )
        return None
    sli = located.value.value
    place = Place(located.document, ("spec",), spec.service, around.data_sources)
    found = measured(sli.spec, sli.metadata.annotations.get(ABOUT), place, complaints)
    return None if found is None else (found, spec.indicator_ref)


def _objectives(
    spec: SloSpec,
    names: list[str] | None,
    unit: str | None,
    of: Document,
    places: dict[Path, Position],
    complaints: Complaints,
) -> list[dict[str, Any]] | None:
    shown = [("", one.display_name) for one in spec.objectives]
    if names is not None and len(names) != len(shown):
        complaints.add(of.place(("metadata", "annotations", OBJECTIVES)), f"{len(shown)} names, one of each objective")
        return None
    named = (
        derived_names(shown) if names is None else [(name, text) for name, (_, text) in zip(names, shown, strict=True)]
    )
    found = []
    right = True
    for number, (one, (name, display_name)) in enumerate(zip(spec.objectives, named, strict=True)):
        path: Path = ("spec", "objectives", number)
        said: dict[str, Any] = {
            "name": name,
            "display_name": display_name,
            "target": _target(one, path, of, complaints),
        }
        right = _fits(one, unit, path, of, complaints) and said["target"] is not None and right
        if one.value is not None and unit is not None:
            said["threshold"] = timedelta(milliseconds=round(one.value * UNITS[unit]))
        found.append(said)
        places |= {
            ("objectives", number): of.place(path),
            ("objectives", number, "name"): of.place((*path, "displayName")),
            ("objectives", number, "target"): of.place((*path, "target")),
            ("objectives", number, "threshold"): of.place((*path, "value")),
        }
    return found if right else None


def _target(one: ObjectiveSpec, path: Path, of: Document, complaints: Complaints) -> float | None:
    if (one.target is None) == (one.target_percent is None):
        complaints.add(of.place(path), "either target (a share such as 0.999) or targetPercent (such as 99.9)")
        return None
    # 99.9 / 100 is 0.9990000000000001.
    return one.target if one.target is not None else round((one.target_percent or 0) / 100, 12)


def _fits(one: ObjectiveSpec, unit: str | None, path: Path, of: Document, complaints: Complaints) -> bool:
    """Adds what the rest of an objective has that can't be."""
    before = one.op in ("gt", "gte") and one.value is not None
    if before:
        complaints.add(of.place((*path, "op")), "lte: an event is good that takes at most the value")
    if one.value is not None and unit is None:
        complaints.add(of.key((*path, "value")), "a value only where the indicator is a thresholdMetric with a unit")
    for name, given in (
        ("indicator", one.indicator),
        ("indicatorRef", one.indicator_ref),
        ("compositeWeight", one.composite_weight),
    ):
        if given is not None:
            complaints.add(
                of.key((*path, name)),
                "an indicator of the whole SLO; several make a journey with kind: composite",
            )
            return False
    return not before and (one.value is None or unit is not None)


def _slices(spec: SloSpec, of: Document, complaints: Complaints) -> dict[str, Any] | Literal[False] | None:
    if spec.budgeting_method == "RatioTimeslices":
        complaints.add(
            of.place(("spec", "budgetingMethod")),
            "Occurrences or Timeslices: a mean of the shares of minutes forgets how many events each had",
        )
        return False
    told = [(one.time_slice_window, one.time_slice_target) for one in spec.objectives]
    if spec.budgeting_method == "Occurrences":
        for number, one in enumerate(told):
            if one != (None, None):
                complaints.add(of.place(("spec", "objectives", number)), "budgetingMethod: Timeslices with time slices")
                return False
        return None
    for number, (length, target) in enumerate(told):
        if length is None or target is None or told[0] != (length, target):
            complaints.add(
                of.place(("spec", "objectives", number)),
                "timeSliceTarget and timeSliceWindow with budgetingMethod: Timeslices, the same in each objective",
            )
            return False
    return {"length": told[0][0], "target": told[0][1]}


def _window(one: TimeWindow, zone: str, of: Document, complaints: Complaints) -> dict[str, Any] | None:
    path: Path = ("spec", "timeWindow", 0)
    rolling = one.is_rolling if one.is_rolling is not None else one.calendar is None
    if rolling:
        weeks = re.fullmatch(r"([0-9]{1,3})w", one.duration)
        try:
            span = timedelta(weeks=int(weeks[1])) if weeks else parse_span(one.duration)
        except ValueError:
            complaints.add(
                of.place((*path, "duration")), "a duration such as 30d or 4w; months roll with isRolling: false"
            )
            return None
        if one.calendar is not None:
            complaints.add(of.key((*path, "calendar")), "no calendar beside isRolling: true")
            return None
        return {"rolling": span, "time_zone": zone}
    if one.duration not in PERIODS:
        complaints.add(of.place((*path, "duration")), "1d, 1w, 1M, 1Q or 1Y with isRolling: false")
        return None
    period = PERIODS[one.duration]
    if one.calendar is not None and not _is_beginning(one.calendar.start_time, period):
        complaints.add(
            of.place((*path, "calendar", "startTime")),
            f"the beginning of a {period}, such as {beginning_of(period)}",
        )
        return None
    return {"calendar": period, "time_zone": one.calendar.time_zone if one.calendar else "UTC"}


def beginning_of(period: Period) -> str:
    """A beginning of a period, as OpenSLO writes it."""
    return "2026-01-05 00:00:00" if period == "week" else "2026-01-01 00:00:00"


def _is_beginning(text: str, period: Period) -> bool:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return False
    first = at.day == 1
    return (at.hour, at.minute, at.second) == (0, 0, 0) and {
        "day": True,
        "week": at.weekday() == 0,
        "month": first,
        "quarter": first and at.month in (1, 4, 7, 10),
        "year": first and at.month == 1,
    }[period]


def _tags(metadata: Metadata) -> list[str]:
    tags = metadata.labels.get("tags", [])
    return [tags] if isinstance(tags, str) else tags


def _annotations(metadata: Metadata, of: Document, complaints: Complaints) -> dict[str, Any]:
    """Those of ours, parsed."""
    found: dict[str, Any] = {}
    for key, value in metadata.annotations.items():
        at = of.place(("metadata", "annotations", key))
        if not key.startswith(_PREFIX):
            continue
        if key not in ANNOTATIONS:
            close = get_close_matches(key, ANNOTATIONS, n=1)
            hint = f": did you mean {close[0]}?" if close else ""
            complaints.add(of.key(("metadata", "annotations", key)), f"one of {', '.join(ANNOTATIONS)}{hint}")
            continue
        try:
            found[key] = _annotation(key, value)
        except ValueError as wrong:
            complaints.add(at, str(wrong))
    return found


def _annotation(key: str, value: Any) -> Any:
    text = str(value).strip()
    if key == MINIMUM:
        if not re.fullmatch(r"[1-9][0-9]{0,6}", text):
            raise ValueError("a whole number above 0")
        return int(text)
    if key == SILENT:
        try:
            return parse_span(text)
        except ValueError:
            raise ValueError("a duration such as 10m") from None
    if key in (CRITICAL, ALERTING):
        if text.lower() not in ("true", "false", "on", "off"):
            raise ValueError("true or false")
        return text.lower() in ("true", "on")
    if key in (EXCLUDES, OBJECTIVES):
        return [] if text == "none" else [one.strip() for one in text.split(",")]
    return text
