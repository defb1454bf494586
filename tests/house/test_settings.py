"""Every setting is documented, has a default, and belongs to the configuration that a start reads."""

from __future__ import annotations

import pytest

from watchkeeper.app.configuration import GROUPS, load_configuration
from watchkeeper.app.server import Watchkeeper
from watchkeeper.kernel.settings import SettingsGroup

groups = pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.section or "server")


def declared(base: type[SettingsGroup]) -> set[type[SettingsGroup]]:
    """Every group of settings that the loaded code declares."""
    children = {child for child in base.__subclasses__() if child.__module__.startswith("watchkeeper.")}
    return children.union(*(declared(child) for child in children))


@groups
def test_every_setting_says_what_it_does(group: type[SettingsGroup]) -> None:
    short = [name for name, field in group.model_fields.items() if len(field.description or "") < 15]
    assert short == []
    assert group.__doc__


@groups
def test_every_setting_has_a_default_that_passes_its_own_checks(group: type[SettingsGroup]) -> None:
    assert group.model_validate(group().model_dump()) == group()


def test_no_two_settings_share_a_variable() -> None:
    variables = [group.variable(name) for group in GROUPS for name in group.model_fields]
    assert len(variables) == len(set(variables))


def test_a_start_reads_every_group_that_is_declared(watchkeeper: Watchkeeper) -> None:
    assert declared(SettingsGroup) == set(GROUPS)
    assert {type(group) for group in load_configuration({}).groups()} == set(GROUPS)
