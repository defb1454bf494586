"""Whom a change reaches, told before it is made."""

from __future__ import annotations

import pytest

from tests.config.pages.support import pages, words
from tests.config.support import MATCHES, VIDEO, Stage
from watchkeeper.modules.subjects import store as subjects_store
from watchkeeper.modules.subjects.model import Subject

PAGE = "/config/parameters/MATCHES_PER_DAY"
