"""Migrations are one line of steps, each of them marked as before or after the new version's start."""

from __future__ import annotations

import re

import pytest
from alembic.script import Script

from watchkeeper.app.server import SCRIPTS
from watchkeeper.kernel.db.migrations import Migrations


def scripts() -> list[Script]:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    return list(ScriptDirectory.from_config(config).walk_revisions())


@pytest.mark.parametrize("script", scripts(), ids=lambda script: script.revision)
def test_a_migration_states_its_phase_in_code_and_name(script: Script) -> None:
    assert script.module.phase in ("pre", "post")
    assert re.fullmatch(rf"{script.module.phase}_{script.revision}\.py", script.path.rsplit("/", 1)[-1])


@pytest.mark.parametrize("script", scripts(), ids=lambda script: script.revision)
def test_a_migration_says_what_it_is_for(script: Script) -> None:
    assert script.doc


def test_migrations_form_one_line() -> None:
    found = scripts()
    assert len({script.down_revision for script in found}) == len(found)
    assert Migrations(SCRIPTS).newest() == found[0].revision
