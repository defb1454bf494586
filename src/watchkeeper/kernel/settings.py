"""Settings of Watchkeeper itself: documented, typed, from environment variables or one TOML file.

Each module declares its settings as a `SettingsGroup`. A field's description is its documentation; the
reference page is made from it, and a house test fails for a field that has none. The environment wins over the file.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, TypeVar, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError

PREFIX = "WATCHKEEPER_"
FILE_VARIABLE = f"{PREFIX}CONFIG"

GroupT = TypeVar("GroupT", bound="SettingsGroup")


class SettingsInvalid(Exception):
    """The start is refused: each line says which setting is wrong, where it was set and what was expected."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines


class SettingsGroup(BaseModel):
    """A frozen set of settings under one section; section '' is the top level.

    The field `raw_days` of section `telemetry` is read from `WATCHKEEPER_TELEMETRY_RAW_DAYS` or from `raw_days`
    in the table `[telemetry]` of the file.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    section: ClassVar[str] = ""
    # Fields that whoever needs them asks for each time, so that they may change while the server runs.
    live: ClassVar[frozenset[str]] = frozenset()

    @classmethod
    def variable(cls, field: str) -> str:
        """The environment variable that sets `field`."""
        return PREFIX + "_".join(part for part in (cls.section, field) if part).upper()


class LiveSettings:
    """Stands for a group whose live fields change while the server runs: each look is at the group as it is now."""

    def __init__(self, started_with: SettingsGroup) -> None:
        self.started_with = self.current = started_with

    def __getattr__(self, name: str) -> Any:
        return getattr(self.current, name)

    def use(self, values: Mapping[str, Any]) -> None:
        """Have these fields in the place of those of the start. Raises ValueError, and stays, when one is wrong."""
        self.current = type(self.started_with).model_validate({**dict(self.started_with), **values})


def live(group: GroupT) -> GroupT:
    """The group, or what stands for it where something of it is live."""
    return cast(GroupT, LiveSettings(group)) if type(group).live else group


def as_it_is(group: GroupT) -> GroupT:
    """The group itself with its values of now."""
    return cast(GroupT, group.current) if isinstance(group, LiveSettings) else group


class ServerSettings(SettingsGroup):
    """Where the server listens and keeps its state."""

    host: str = Field(
        "127.0.0.1", description="Address to listen on. Anything but loopback makes intake tokens required."
    )
    port: int = Field(8700, ge=0, le=65535, description="Port to listen on; 0 picks a free one.")
    data: Path = Field(Path("watchkeeper-data"), description="Data directory: state, telemetry, keys, lock file.")
    database_url: str | None = Field(
        None, description="PostgreSQL URL for state (`postgresql://…`). Unset: SQLite in the data directory."
    )
    key_file: Path | None = Field(
        None,
        description="File with the installation's key (64 hexadecimal digits), shared by replicas. Unset: "
        "`installation.key` in the data directory, or the database where that is PostgreSQL.",
    )
    base_url: str | None = Field(
        None, description="Address people use to reach the console, for links and cookies. Unset: `http://host:port`."
    )
    log_level: str = Field("info", pattern="^(debug|info|warning|error)$", description="Least severe log line written.")
    log_format: str = Field(
        "auto", pattern="^(auto|console|json)$", description="`auto`: console on a terminal, else JSON."
    )
    self_telemetry: bool = Field(True, description="Show Watchkeeper itself as the service `watchkeeper`.")


class SettingsSource:
    """Reads groups from an environment and an optional TOML file; remembers what nobody asked for."""

    def __init__(self, environ: Mapping[str, str], file: Path | None = None) -> None:
        self._environ = environ
        self._file = file or (Path(environ[FILE_VARIABLE]) if environ.get(FILE_VARIABLE) else None)
        self._tables = _read_tables(self._file)
        self._known: set[str] = {FILE_VARIABLE}
        self._sections: dict[str, set[str]] = {}
        # By variable: where each setting that is set was set.
        self.origins: dict[str, str] = {}

    def load(self, group: type[GroupT], **overrides: Any) -> GroupT:
        """One group; `overrides` (command-line options) win where they are not None. Raises SettingsInvalid."""
        values: dict[str, Any] = {}
        origin: dict[str, str] = {}
        table = self._table(group.section)
        for field in group.model_fields:
            variable = group.variable(field)
            self._known.add(variable)
            self._sections.setdefault(group.section, set()).add(field)
            if overrides.get(field) is not None:
                values[field], origin[field] = overrides[field], f"--{field.replace('_', '-')}"
            elif variable in self._environ:
                values[field], origin[field] = self._environ[variable], variable
            elif field in table:
                name = f"{group.section}.{field}" if group.section else field
                values[field], origin[field] = table[field], f"{self._file}: {name}"
        self.origins |= {group.variable(field): where for field, where in origin.items()}
        try:
            return group.model_validate(values)
        except ValidationError as error:
            raise SettingsInvalid([_explain(problem, origin) for problem in error.errors()]) from None

    def refuse_unknown(self) -> None:
        """Raise SettingsInvalid for names in the file or `WATCHKEEPER_*` variables that no group declares."""
        lines = [
            f"{variable}: no such setting; see the configuration reference"
            for variable in sorted(self._environ)
            if variable.startswith(PREFIX) and variable not in self._known and not variable.endswith(_NOT_SETTINGS)
        ]
        for name, value in self._tables.items():
            if isinstance(value, dict):
                known = self._sections.get(name, set())
                lines += [f"{self._file}: {name}.{key}: no such setting" for key in value if key not in known]
            elif name not in self._sections.get("", set()):
                lines.append(f"{self._file}: {name}: no such setting")
        if lines:
            raise SettingsInvalid(lines)

    def _table(self, section: str) -> Mapping[str, Any]:
        if not section:
            return {name: value for name, value in self._tables.items() if not isinstance(value, dict)}
        table = self._tables.get(section, {})
        return table if isinstance(table, dict) else {}


# Read by the command line and by the client in other processes, not by the server.
_NOT_SETTINGS = ("_TOKEN", "_SERVER", "_URL_FOR_TESTS")


def _read_tables(file: Path | None) -> dict[str, Any]:
    if file is None:
        return {}
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SettingsInvalid([f"{file}: there is no such configuration file"]) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsInvalid([f"{file}: not a TOML file: {error}"]) from None


def _explain(problem: Any, origin: Mapping[str, str]) -> str:
    field = str(problem["loc"][0])
    # The value itself is left out: it may be a database URL with a password.
    return f"{origin.get(field, field)}: {problem['msg']}"
