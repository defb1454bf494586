"""Our JSON of subjects: what comes in is checked here once."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, Field, StringConstraints

from watchkeeper.kernel.web.wire import StrictModel
from watchkeeper.modules.subjects.countries import COUNTRIES
from watchkeeper.modules.subjects.model import LONGEST_ID, MOST_ATTRIBUTES, OWN_FIELDS, Subject, age_of
from watchkeeper.modules.subjects.personal import looks_personal, names_personal
from watchkeeper.modules.subjects.service import Taken, Update
from watchkeeper.modules.subjects.store import Counts
from watchkeeper_client.rules.checking import ATTRIBUTE
from watchkeeper_client.rules.values import LARGEST_INTEGER

MOST_SUBJECTS = 1_000
STATUS = r"[a-z][a-z0-9_]{0,31}"
_LONGEST_TEXT, _LONGEST_LISTED, _MOST_LISTED, _MOST_CHARACTERS = 200, 100, 50, 8_000
_FIRST_YEAR = 1970
_STATUS = re.compile(STATUS)


def _opaque(text: str) -> str:
    if not text.isprintable():
        raise ValueError("one line of printable characters")
    looks = looks_personal(text)
    if looks is not None:
        raise ValueError(f"an opaque id, not what looks like {looks}")
    return text


def _country(code: str) -> str:
    if code not in COUNTRIES:
        raise ValueError("a code of ISO 3166 with two capital letters, such as NO")
    return code


def _status(text: str) -> str:
    if not _STATUS.fullmatch(text):
        raise ValueError("a small letter, then up to 31 small letters, digits and _, such as active")
    return text


def _text_only(value: object) -> object:
    # A number would be read as seconds since 1970.
    if not isinstance(value, (str, datetime)):
        raise ValueError("an instant such as 2026-11-30T09:00:00Z")
    return value


def _whole(value: object) -> object:
    # To Python, true is 1 and 1990.0 is 1990.
    if isinstance(value, (bool, float, str)):
        raise ValueError("a whole number")
    return value


def _recent_years(instant: datetime) -> datetime:
    if not _FIRST_YEAR <= instant.year <= 9_000:
        raise ValueError(f"an instant since {_FIRST_YEAR}")
    return instant


def _sound_attributes(attributes: dict[str, Any]) -> dict[str, Any]:
    if len(attributes) > MOST_ATTRIBUTES:
        raise ValueError(f"at most {MOST_ATTRIBUTES} attributes")
    size = 0
    for name, value in attributes.items():
        size += len(name) + _sound_value(name, value)
    if size > _MOST_CHARACTERS:
        raise ValueError(f"attributes of at most {_MOST_CHARACTERS:,} characters in all")
    return attributes


def _sound_value(name: str, value: Any) -> int:
    """How many characters the value takes."""
    if not ATTRIBUTE.fullmatch(name):
        raise ValueError("names of attributes that begin with a letter or _ and go on with letters, digits, _ . or -")
    if name in OWN_FIELDS:
        raise ValueError(f"{name} beside attributes, not among them" if name != "age" else "birth_year, not age")
    if names_personal(name):
        raise ValueError(f"nothing that says who somebody is, such as {name}")
    if isinstance(value, (bool, int, float)):
        if abs(value) > LARGEST_INTEGER:
            raise ValueError(f"a number of at most 2^53 - 1 for {name}")
        return 8
    texts, longest = ([value], _LONGEST_TEXT) if isinstance(value, str) else (value, _LONGEST_LISTED)
    if len(texts) > _MOST_LISTED or any(len(text) > longest for text in texts):
        most = f"at most {_LONGEST_TEXT} characters, or {_MOST_LISTED} texts of {_LONGEST_LISTED}"
        raise ValueError(f"{most}, for {name}")
    for text in texts:
        _require_impersonal(name, text)
    return sum(map(len, texts))


def _require_impersonal(name: str, text: str) -> None:
    if "\0" in text or not text.isprintable():
        raise ValueError(f"one line of printable characters for {name}")
    looks = looks_personal(text)
    if looks is not None:
        raise ValueError(f"nothing that looks like {looks} for {name}")


SubjectId = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_ID), AfterValidator(_opaque)]
Country = Annotated[str, StringConstraints(max_length=20), AfterValidator(_country)]
Status = Annotated[str, StringConstraints(max_length=100), AfterValidator(_status)]
Year = Annotated[int, BeforeValidator(_whole)]
Instant = Annotated[AwareDatetime, BeforeValidator(_text_only), AfterValidator(_recent_years)]
Attribute = bool | int | float | str | list[str]


class SubjectBody(StrictModel):
    """What the product tells of one of its users. Fields that are left out stay as they are; null empties one."""

    id: SubjectId = Field(
        description="Which account it is, and nothing about who: no e-mail address, no telephone number."
    )
    country: Country | None = Field(None, description="ISO 3166 code of two letters, such as `NO`.")
    birth_year: Year | None = Field(None, description="For segments by age; the day is never asked for.")
    status: Status | None = Field(
        None, description="`active` where nothing was said; `suspended`, `deleted` or a word of your own."
    )
    last_active_at: Instant | None = Field(None, description="When the product last saw the user.")
    attributes: Annotated[dict[str, Attribute], AfterValidator(_sound_attributes)] | None = Field(
        None,
        description=f"Up to {MOST_ATTRIBUTES} texts, numbers, booleans or lists of texts that segments may ask for. "
        "They replace all that was told before.",
    )

    def update(self) -> Update:
        """The same as the domain has it."""
        given = {name: getattr(self, name) for name in self.model_fields_set if name != "id"}
        empty = {"status": "active", "attributes": {}}
        return Update(self.id, {name: empty.get(name) if value is None else value for name, value in given.items()})


class SubjectsBody(StrictModel):
    """Subjects to add and change, all or nothing."""

    subjects: list[SubjectBody] = Field(min_length=1, max_length=MOST_SUBJECTS)


class TakenView(BaseModel):
    """What a batch did."""

    added: int
    changed: int
    unchanged: int

    @classmethod
    def of(cls, taken: Taken) -> TakenView:
        return cls(**vars(taken))


class SubjectView(BaseModel):
    """One of the product's users."""

    id: str
    country: str | None
    birth_year: int | None
    age: int | None = Field(description="Years that have surely passed since the birth year.")
    status: str
    last_active_at: datetime | None
    attributes: dict[str, Attribute]
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, subject: Subject, now: datetime) -> SubjectView:
        age = age_of(subject.birth_year, now) if subject.birth_year is not None else None
        return cls(**vars(subject), age=age)


class OneSubjectView(SubjectView):
    """One of the product's users, and the manual segments that list it."""

    listed_in: list[str]


class CountsView(BaseModel):
    """How many subjects there are."""

    total: int
    by_status: dict[str, int]
    by_country: dict[str, int] = Field(description="`unknown` for those whose country was not told.")

    @classmethod
    def of(cls, counts: Counts) -> CountsView:
        by_country = {code or "unknown": number for code, number in counts.by_country.items()}
        return cls(total=counts.total, by_status=dict(counts.by_status), by_country=by_country)
