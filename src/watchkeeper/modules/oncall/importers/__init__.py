"""Schedules and policies of other on-call tools, from their API's answers: pure, from JSON to ours and a report."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from watchkeeper.modules.oncall.importers import goalert, grafana_oncall, opsgenie, pagerduty
from watchkeeper.modules.oncall.importers.result import Imported

SOURCES: Mapping[str, Callable[[Any, datetime], Imported]] = {
    "pagerduty": pagerduty.read,
    "opsgenie": opsgenie.read,
    "grafana-oncall": grafana_oncall.read,
    "goalert": goalert.read,
}
