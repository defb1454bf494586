"""The form of an SLO: what people type, and the definition that it means. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from types import MappingProxyType
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, Field, StringConstraints, ValidationError

from watchkeeper.kernel.errors import Complaint
from watchkeeper.kernel.ops import yaml_file
from watchkeeper.kernel.ops.documents import Complaints, OpsInvalid, check
from watchkeeper.kernel.web.wire import PageForm
from watchkeeper.modules.slo.definition import Definition
from watchkeeper.modules.slo.errors import RecordInvalid, SloInvalid
from watchkeeper_client.rules import duration_text

KINDS = (("availability", "Availability: requests that did not fail"), ("latency", "Latency: requests quick enough"))
WINDOWS = (
    ("30d", "30 days, rolling"),
    ("7d", "7 days, rolling"),
    ("28d", "28 days, rolling"),
    ("90d", "90 days, rolling"),
    ("week", "calendar week"),
    ("month", "calendar month"),
    ("quarter", "calendar quarter"),
)
_CALENDAR = ("day", "week", "month", "quarter", "year")
# Where a complaint about the definition stands in the form; longest first.
_FIELDS: Mapping[str, str] = MappingProxyType(
    {
        "objectives[0].target": "target",
        "objectives[0].threshold": "threshold",
        "objectives": "target",
        "indicator.exclude_routes": "exclude_routes",
        "indicator.routes": "routes",
        "indicator.service": "service",
        "indicator": "kind",
        "window.time_zone": "time_zone",
        "window": "window",
        "display_name": "display_name",
        "description": "description",
        "service": "service",
        "name": "name",
    }
)
M = TypeVar("M", bound=BaseModel)
Long = Annotated[str, StringConstraints(strip_whitespace=False, max_length=100_000)]


class WhyForm(PageForm):
    """A reason."""

    reason: str = Field(default="", max_length=500)


def reason_of(form: WhyForm) -> str:
    """What was said. Raises RecordInvalid without it: what is taken away is asked about later."""
    if not form.reason.strip():
        raise RecordInvalid("Nothing was changed: there is no reason.", complaints=[Complaint("reason", "a reason")])
    return form.reason.strip()


class SloForm(PageForm):
    """The common kinds by fields, or anything as text."""

    way: str = Field(default="fields", max_length=10)
    look: str = Field(default="", max_length=5, description="Said by the button that only shows what it would be.")
    version: int = Field(default=0, ge=0)
    name: str = Field(default="", max_length=100)
    display_name: str = Field(default="", max_length=300)
    description: str = Field(default="", max_length=3_000)
    service: str = Field(default="", max_length=300)
    kind: str = Field(default="availability", max_length=20)
    routes: str = Field(default="", max_length=10_000)
    exclude_routes: str = Field(default="", max_length=10_000)
    target: str = Field(default="", max_length=30)
    threshold: str = Field(default="", max_length=30)
    window: str = Field(default="30d", max_length=20)
    time_zone: str = Field(default="UTC", max_length=60)
    text: Long = ""

    @classmethod
    def of(cls, definition: Definition, version: int, text: str) -> SloForm:
        """Filled in with what is there."""
        objective, indicator, window = definition.objectives[0], definition.indicator, definition.window
        rolling = duration_text(window.rolling) if window.rolling is not None else ""
        return cls(
            way="fields" if fits_fields(definition) else "text",
            version=version,
            name=definition.name,
            display_name=definition.display_name,
            description=definition.description,
            service=definition.service,
            kind=indicator.kind,
            routes="\n".join(getattr(indicator, "routes", ())),
            exclude_routes="\n".join(getattr(indicator, "exclude_routes", ())),
            target=f"{Decimal(str(objective.target)) * 100:f}".rstrip("0").rstrip("."),
            threshold=duration_text(objective.threshold) if objective.threshold is not None else "",
            window=rolling or window.calendar or "30d",
            time_zone=window.time_zone,
            text=text,
        )


def fits_fields(definition: Definition) -> bool:
    """Whether the fields can say it: one target of requests that succeed, or that are quick enough."""
    return definition.indicator.kind in ("availability", "latency") and len(definition.objectives) == 1


def definition_of(form: SloForm, before: Definition | None = None) -> Definition:
    """What the form means; what it has no field for stays as it was in `before`.

    Raises SloInvalid with complaints whose places are those of the definition.
    """
    if form.way == "text":
        return in_model(form.text, Definition)
    try:
        return Definition.model_validate(_of_fields(form, before))
    except ValidationError as error:
        complaints = [complaint_of(one["loc"], str(one["msg"]), one["type"]) for one in error.errors()]
        raise SloInvalid("The SLO is not valid.", complaints=complaints) from None


def in_model(text: str, model: type[M]) -> M:
    """One document of YAML, or of JSON, which is YAML too. Raises SloInvalid with lines and columns."""
    complaints = Complaints()
    try:
        documents = yaml_file.parse("", text.replace("\r\n", "\n"), complaints)
        complaints.refuse_if_any()
        if len(documents) != 1:
            raise SloInvalid("The text can't be read.", complaints=[Complaint("text", "one definition")])
        found = check(documents[0], model, complaints)
        complaints.refuse_if_any()
    except OpsInvalid as refusal:
        said = [Complaint(_line(one.where), one.expected.removeprefix("expected ")) for one in refusal.complaints]
        raise SloInvalid("The text is not valid.", complaints=said) from None
    if found is None:
        raise AssertionError("what does not fit was complained about")
    return found.value


def errors_of(complaints: Iterable[Complaint]) -> dict[str, str]:
    """By field of the form, the first thing that was expected there."""
    found: dict[str, str] = {}
    for one in complaints:
        where = one.where.removeprefix("body.")
        name = next((field for place, field in _FIELDS.items() if where.startswith(place)), None)
        if name is not None:
            found.setdefault(name, one.expected)
    return found


def _of_fields(form: SloForm, before: Definition | None) -> dict[str, Any]:
    said: dict[str, Any] = before.model_dump(mode="json") if before is not None else {}
    kept = said.get("indicator") or {}
    same = kept.get("kind") == form.kind
    indicator = {
        **({key: value for key, value in kept.items() if same or key in ("environment", "methods")}),
        "kind": form.kind,
        "service": form.service,
        "routes": _lines(form.routes),
        "exclude_routes": _lines(form.exclude_routes),
    }
    objective = (said.get("objectives") or [{}])[0]
    rolling = form.window not in _CALENDAR
    return {
        **said,
        "name": form.name,
        "display_name": form.display_name,
        "description": form.description,
        "service": form.service,
        "indicator": indicator,
        "objectives": [{**objective, "target": _share(form.target), "threshold": form.threshold or None}],
        "window": {
            "rolling": form.window if rolling else None,
            "calendar": None if rolling else form.window,
            "time_zone": form.time_zone or "UTC",
        },
    }


def _line(place: str) -> str:
    _, line, column = place.split(":")
    return f"line {line}, column {column}"


def _share(percent: str) -> Any:
    """`99.9` (percent, as people say it) as 0.999. Raises SloInvalid."""
    try:
        said = Decimal(percent.replace("%", "").replace(",", ".").strip())
    except InvalidOperation:
        said = Decimal(-1)
    if not said.is_finite() or not 0 < said < 100:
        advice = "; 100 % leaves no budget, and every single error would breach it" if said == 100 else ""
        complaint = Complaint("objectives[0].target", f"a percentage between 0 and 100, such as 99.9{advice}")
        raise SloInvalid("The SLO is not valid.", complaints=[complaint])
    return float(said / 100)


def complaint_of(loc: tuple[int | str, ...], message: str, kind: str) -> Complaint:
    """Pydantic's, with the place as people write it; tags of unions are left out of it."""
    path = ""
    for at, part in enumerate(loc):
        if at == 1 and loc[0] == "indicator" and part in _TAGS:
            continue
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else str(part)
    expected = {"missing": "something", "extra_forbidden": "no such field"}.get(kind)
    if kind == "string_pattern_mismatch" and loc[-1] == "name":
        expected = "a name of lower-case letters, digits and -, at most 63, such as checkout-availability"
    if kind == "string_too_short":
        expected = "something"
    message = message.removeprefix("Value error, ").removesuffix(" was expected").replace(" was expected;", ";")
    return Complaint(path, expected or message)


_TAGS = ("availability", "latency", "ratio", "responses", "freshness", "composite")


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]
