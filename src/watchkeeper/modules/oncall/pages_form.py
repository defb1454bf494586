"""What the editors' forms mean: the usual rotation by fields, and everything as text."""

from __future__ import annotations

from datetime import date
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, Field, ValidationError

from watchkeeper.kernel.errors import Complaint
from watchkeeper.kernel.ops import Complaints, OpsInvalid, yaml_file
from watchkeeper.kernel.ops.documents import check
from watchkeeper.kernel.web.wire import PageForm
from watchkeeper.modules.oncall.definition import Schedule
from watchkeeper.modules.oncall.errors import ScheduleInvalid
from watchkeeper.modules.oncall.policy import Policy
from watchkeeper.modules.oncall.store import ContentT

ModelT = TypeVar("ModelT", bound=BaseModel)


class EditForm(PageForm):
    """A schedule or a policy. `check`: only say what would be said of it. `replay`: try it on alerts, too."""

    way: str = Field(default="text", max_length=10)
    check: str = Field(default="", max_length=5)
    replay: str = Field(default="", max_length=5)
    version: int = 0
    text: str = Field(default="", max_length=100_000)
    name: str = Field(default="", max_length=63)
    title: str = Field(default="", max_length=200)
    time_zone: str = Field(default="UTC", max_length=64)
    people: str = Field(default="", max_length=10_000)
    shift: str = Field(default="1w", max_length=10)
    weekday: str = Field(default="monday", max_length=10)
    hand_over: str = Field(default="09:00", max_length=5)
    start: str = Field(default="", max_length=10)

    @classmethod
    def of(cls, content: Schedule | Policy, version: int) -> EditForm:
        """Filled in with what is there, people as addresses."""
        said: dict[str, Any] = {"name": content.name, "title": content.title}
        if isinstance(content, Schedule):
            layer = content.layers[0]
            said |= {
                "time_zone": content.time_zone,
                "people": "\n".join(layer.people),
                "shift": layer.shift,
                "weekday": layer.weekday or "",
                "hand_over": layer.hand_over,
                "start": layer.start.isoformat(),
            }
        return cls(version=version, text=in_yaml(content), **said)


def fits_fields(content: Schedule) -> bool:
    """Whether the fields can say all of it."""
    plain = not content.temporary and not content.gaps and not content.description and content.team is None
    return plain and len(content.layers) == 1 and not content.layers[0].hours and content.layers[0].until is None


def content_of(form: EditForm, model: type[ContentT], today: date) -> ContentT:
    """What the form means, people as they were written. Raises ScheduleInvalid."""
    if form.way != "fields":
        return in_model(form.text, model)
    people = [one.strip() for line in form.people.splitlines() for one in line.split(",") if one.strip()]
    layer = {
        "name": "rotation",
        "people": people,
        "shift": form.shift,
        "weekday": form.weekday if form.weekday and form.shift.endswith("w") else None,
        "hand_over": form.hand_over,
        "start": form.start or today.isoformat(),
    }
    said = {"name": form.name, "title": form.title, "time_zone": form.time_zone, "layers": [layer]}
    try:
        return model.model_validate(said)
    except ValidationError as error:
        complaints = [
            Complaint(str(one["loc"][-1]) if one["loc"] else "name", one["msg"].removeprefix("Value error, "))
            for one in error.errors()
        ]
        raise ScheduleInvalid("The schedule is not valid.", complaints=complaints) from None


def in_model(text: str, model: type[ModelT]) -> ModelT:
    """One document of YAML, or of JSON, which is YAML too. Raises ScheduleInvalid with lines and columns."""
    complaints = Complaints()
    try:
        documents = yaml_file.parse("text", text.replace("\r\n", "\n"), complaints)
        complaints.refuse_if_any()
        if len(documents) != 1:
            raise ScheduleInvalid("The text can't be read.", complaints=[Complaint("text", "one definition")])
        found = check(documents[0], model, complaints)
        complaints.refuse_if_any()
    except OpsInvalid as refusal:
        said = [_placed(one) for one in refusal.complaints]
        raise ScheduleInvalid("The text is not valid.", complaints=said) from None
    if found is None:
        raise AssertionError("what does not fit was complained about")
    return found.value


def in_yaml(content: Schedule | Policy) -> str:
    """As people write it, without what is as usual."""
    said = content.model_dump(mode="json", exclude_defaults=True)
    return yaml.safe_dump(said, sort_keys=False, allow_unicode=True, width=120)


def _placed(one: Complaint) -> Complaint:
    _, line, column = one.where.split(":")
    return Complaint(f"line {line}, column {column}", one.expected.removeprefix("expected "))
