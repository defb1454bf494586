"""What `ops/parameters.yaml` may say: environments, and parameters with their values."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, model_validator

from watchkeeper.kernel.web.wire import StrictModel
from watchkeeper.modules.config.wire import EnvironmentName, Key, Name, Type
from watchkeeper_client.rules import Definition

# Fields of the definition by what the files call them.
IN_FILES = {"key": "key", "minimum": "min", "maximum": "max"}
_ByEnvironment = Annotated[dict[EnvironmentName, Any], Field(max_length=100)]


class EnvironmentFile(StrictModel):
    """An environment: where values hold, such as production. Its name alone is enough; one that is there stays."""

    name: EnvironmentName = Field(description="Lower-case letters, digits and `-`, a letter first.")
    needs_approval: bool | None = Field(
        None, description="Whether changes in it wait for a second person. Unset: as the console says."
    )


class ParameterFile(StrictModel):
    """A parameter or flag: what it is, and what it is set to in each environment."""

    name: Key = Field(alias="key", description="Letters, digits, `_`, `.` and `-`; a letter first.")
    type: Type = Field(description="What its values are.")
    default: Any = Field(None, description="What holds where nothing is set; of a flag, the name of a variant.")
    minimum: Any = Field(None, alias="min", description="Least value of an integer, float, duration or time_of_day.")
    maximum: Any = Field(None, alias="max", description="Largest value of an integer, float, duration or time_of_day.")
    pattern: Annotated[str, StringConstraints(max_length=500)] | None = Field(
        None, description="Regular expression (without look-around) that the whole of a string matches."
    )
    choices: list[Annotated[str, StringConstraints(min_length=1, max_length=200)]] = Field(
        default_factory=list, max_length=200, description="What an enum may be."
    )
    json_schema: dict[str, Any] | None = Field(None, alias="schema", description="JSON schema of a json parameter.")
    unit: Annotated[str, StringConstraints(max_length=40)] | None = Field(None, description="Such as `days` or `km`.")
    description: Annotated[str, StringConstraints(max_length=2_000)] = Field(
        "", description="What it does, and what happens when it is raised or lowered."
    )
    owner: Annotated[str, StringConstraints(max_length=200)] | None = Field(
        None, description="The team or person that decides."
    )
    group: Annotated[str, StringConstraints(max_length=200)] = Field("", description="Such as `chat/messaging`.")
    service: Name | None = Field(None, description="The service whose timeline shows its changes.")
    used_by: list[Name] = Field(default_factory=list, max_length=50, description="Services that read it.")
    deprecated_since: str | None = Field(None, description="Date since when nothing new should read it.")
    needs_approval: bool = Field(False, description="Whether each change in the console waits for a second person.")
    secret: bool | None = Field(None, description="true is another way to say `type: secret`.")
    variants: dict[str, Any] = Field(
        default_factory=dict, description="A flag's variants with their values; unset: on (true) and off (false)."
    )
    off: str | bool | None = Field(None, description="The variant of a flag that is killed or lacks a prerequisite.")
    expires_on: str | None = Field(None, description="Date by which a flag should be gone from the code.")
    salt: Annotated[str, StringConstraints(min_length=1, max_length=64)] | None = Field(
        None, description="What a flag draws its percentages by; unset: made once, and kept."
    )
    values: _ByEnvironment = Field(
        default_factory=dict,
        description="What is set for everybody, by environment; null: nothing. An environment that is not named is "
        "left to the console.",
    )
    state: _ByEnvironment = Field(
        default_factory=dict,
        description="Of a flag, by environment: a variant for everybody, or enabled, prerequisites, rules and serve.",
    )

    @model_validator(mode="after")
    def _one_way_to_say_it(self) -> ParameterFile:
        if self.secret and self.type not in ("string", "secret"):
            raise ValueError("the type string or secret where secret is true")
        if self.secret is False and self.type == "secret":
            raise ValueError("secret: true or nothing beside the type secret")
        if self.state and self.type != "flag":
            raise ValueError("values by environment: only a flag has a state")
        if self.values and self.type == "flag":
            raise ValueError("state by environment: a flag has no plain values")
        return self

    def definition(self) -> Definition:
        """The registry entry that this describes."""
        said = self.model_dump(exclude={"name", "json_schema", "secret", "values", "state"})
        kind = "secret" if self.secret else self.type
        return Definition.of({**said, "key": self.name, "schema": self.json_schema, "type": kind})

    @property
    def by_environment(self) -> Literal["values", "state"]:
        """The field that says what is set."""
        return "state" if self.type == "flag" else "values"

    def wanted(self) -> dict[str, Any]:
        """What is to be set in each environment that is named."""
        return self.state if self.type == "flag" else self.values
