"""Watchkeeper's own settings as parameters: the same types, bounds and tables as the product's."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pydantic.fields import FieldInfo

from watchkeeper.app.configuration import Configuration
from watchkeeper.app.pages import HIDDEN
from watchkeeper.kernel.settings import FILE_VARIABLE, LiveSettings, SettingsGroup, as_it_is
from watchkeeper.modules.config.documentation import Documented, Group, page
from watchkeeper.modules.config.model import OWN
from watchkeeper.modules.config.own import Own, OwnParameter
from watchkeeper_client.rules import Definition

_SELF = "watchkeeper"
_NOTICE = "<!-- Made by `make docs`; edit the code that it describes. -->\n"
_CHOICES = re.compile(r"\([a-z]+(\|[a-z]+)*\)")
_TYPES = {"integer": "integer", "number": "float", "boolean": "boolean", "string": "string"}


@dataclass(frozen=True)
class OwnSetting:
    """One field of a group of settings."""

    group: type[SettingsGroup]
    field: str

    @property
    def key(self) -> str:
        """Such as `watchkeeper.telemetry.raw_days`."""
        return f"{OWN}{self.group.section or 'server'}.{self.field}"

    @property
    def live(self) -> bool:
        """Whether a change holds at once; else the setting is read at the start only."""
        return self.field in self.group.live

    @property
    def variable(self) -> str:
        return self.group.variable(self.field)

    @property
    def info(self) -> FieldInfo:
        return self.group.model_fields[self.field]

    def definition(self) -> Definition:
        """Type and bounds as the field has them, with the default of whoever sets nothing."""
        schema = _of_schema(self.group.model_json_schema()["properties"][self.field])
        default = self.info.get_default()
        said: dict[str, Any] = {
            "key": self.key,
            "group": f"{_SELF}/{self.group.section or 'server'}",
            "service": _SELF,
            "type": _TYPES.get(str(schema.get("type")), "json"),
            "default": _plain(default),
            "description": self.info.description or "",
        }
        if said["type"] in ("integer", "float"):
            said |= {"minimum": schema.get("minimum"), "maximum": schema.get("maximum")}
        if said["type"] == "string" and "enum" in schema:
            said |= {"type": "enum", "choices": [str(one) for one in schema["enum"]]}
        pattern = str(schema.get("pattern", "")).removeprefix("^").removesuffix("$")
        if said["type"] == "string" and _CHOICES.fullmatch(pattern):
            said |= {"type": "enum", "choices": pattern[1:-1].split("|")}
        elif said["type"] == "string" and pattern:
            said |= {"pattern": pattern}
        return Definition.of(said)


def own_settings(groups: Iterable[type[SettingsGroup]]) -> Iterator[OwnSetting]:
    """Every setting in the order of the groups."""
    return (OwnSetting(group, field) for group in groups for field in group.model_fields)


def own_of(configuration: Configuration) -> Own:
    """What the registry is told, and who takes over what is set there."""
    groups = {type(as_it_is(group)): group for group in configuration.groups()}
    parameters = [_as_parameter(one, groups[one.group], configuration.origins) for one in own_settings(groups)]

    def take(values: Mapping[str, Any]) -> None:
        for kind, group in groups.items():
            if isinstance(group, LiveSettings):
                mine = {one.field: values[one.key] for one in own_settings([kind]) if one.key in values}
                group.use(mine)

    return Own(parameters, configuration.config.default_environment, take)


def _as_parameter(one: OwnSetting, group: SettingsGroup, origins: Mapping[str, str]) -> OwnParameter:
    definition = one.definition()
    where = f"`{one.variable}` sets it at the start{'; it changes live, too' if one.live else ''}."
    value = getattr(group, one.field)
    hidden = one.field in HIDDEN and value is not None
    return OwnParameter(
        definition=replace(definition, description=f"{definition.description} {where}"),
        live=one.live,
        variable=one.variable,
        started_with="(set)" if hidden else _plain(value),
        origin=origins.get(one.variable, ""),
    )


def settings_page(groups: Iterable[type[SettingsGroup]]) -> str:
    """The reference of Watchkeeper's own settings."""
    intro = [
        "A setting is read from its environment variable, else from one TOML file, else it has its default. The file",
        f"is named by `--config` or `{FILE_VARIABLE}`. Options of the command line win over both. A wrong value, or a",
        "name that does not exist, stops the start with a line that says where it was set and what was expected.",
        "",
        "Settings that change **live** are also parameters: `watchkeeper config set watchkeeper.SECTION.NAME` (or the",
        "page *Configuration*) sets them without a restart, in every replica, with a reason and a history. A value set",
        "that way wins over environment variable and file until it is unset.",
        "",
        "The page *Settings* of the console (`/settings`) shows what a running server has.",
    ]
    return page("Configuration", _NOTICE, intro, [_group(group) for group in groups])


def _group(group: type[SettingsGroup]) -> Group:
    table = f"`[{group.section}]` in the file" if group.section else "Top level of the file"
    rows = [
        Documented(
            replace(one.definition(), service=None),
            name=one.field,
            more={"environment variable": f"`{one.variable}`", "changes": "live" if one.live else "at a restart"},
        )
        for one in own_settings([group])
    ]
    return Group(group.section or "server", rows, f"{group.__doc__} {table}.")


def _of_schema(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """The part of a field's schema that is not null."""
    choices = [one for one in schema.get("anyOf", ()) if one.get("type") != "null"]
    return choices[0] if len(choices) == 1 else schema


def _plain(value: Any) -> Any:
    """A value of a setting as JSON has it."""
    return value if value is None or isinstance(value, (bool, int, float, list, dict)) else str(value)
