"""Files of Sloth (`version: prometheus/v1`) as definitions."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pydantic import ValidationError

from watchkeeper.kernel.ops import Complaints, Document, Located
from watchkeeper.kernel.ops.documents import check
from watchkeeper.modules.slo.definition import Definition
from watchkeeper.modules.slo.files.openslo_indicator import has_window, part
from watchkeeper.modules.slo.files.openslo_slo import Entry, Made
from watchkeeper.modules.slo.files.openslo_wire import SlothDocument, SlothSlo
from watchkeeper.modules.slo.model import workbook_rules

SLOTH = "Sloth"
_WINDOW = timedelta(days=30)
_DEFAULT_SOURCE = "prometheus"


@dataclass(frozen=True)
class SlothEntry:
    """One SLO of a file of Sloth, with the service that the file names."""

    service: str
    slo: SlothSlo

    def model_dump(self) -> dict[str, Any]:
        """What it says, to compare."""
        return {"service": self.service, **self.slo.model_dump()}


def read_sloth(document: Document, complaints: Complaints) -> list[Located[Any]]:
    """An entry for each SLO of the document."""
    found = check(document, SlothDocument, complaints)
    if found is None:
        return []
    entries = []
    for number, one in enumerate(found.value.slos):
        of = part(document, ("slos", number))
        value = {"version": "prometheus/v1", "service": found.value.service, "slos": [of.value]}
        entry = Entry(SLOTH, _name(found.value.service, one.name), SlothEntry(found.value.service, one))
        entries.append(Located[Any](entry, Document(value, of.places, of.keys)))
    return entries


def definition_of_sloth(entry: Located[Any], data_sources: frozenset[str], complaints: Complaints) -> Made | None:
    """The definition over 30 days, as Sloth has it; what is wrong is added to `complaints`."""
    of, one = entry.document, entry.value.value.slo
    events = one.sli.events
    if events is None:
        complaints.add(
            of.place(("sli",)),
            "events with error_query and total_query: a share alone (raw, plugin) can't be weighted by events",
        )
        return None
    for name, query in (("error_query", events.error_query), ("total_query", events.total_query)):
        if not has_window(query):
            complaints.add(of.place(("sli", "events", name)), "a query over [{{.window}}]")
            return None
    source = next(iter(data_sources)) if len(data_sources) == 1 else _DEFAULT_SOURCE
    wanted = {"page": not one.alerting.page_alert.disable, "ticket": not one.alerting.ticket_alert.disable}
    rules = [rule for rule in workbook_rules(_WINDOW) if wanted[rule.action]]
    said = {
        "name": entry.value.name,
        "display_name": one.name if one.name != entry.value.name else "",
        "description": one.description,
        "service": entry.value.value.service,
        "indicator": {
            "kind": "ratio",
            "bad": {"query": events.error_query, "data_source": source},
            "total": {"query": events.total_query, "data_source": source},
        },
        "objectives": [{"target": round(one.objective / 100, 12)}],
        "window": {"rolling": _WINDOW},
        "alerting": {"enabled": bool(rules), "rules": None if len(rules) in (0, 4) else rules},
    }
    try:
        return Made(Definition.model_validate(said), entry, _places(of))
    except ValidationError as error:
        for problem in error.errors():
            complaints.add(of.place(("name",)), problem["msg"])
        return None


def _places(of: Document) -> dict[tuple[Any, ...], Any]:
    return {
        ("name",): of.place(("name",)),
        ("objectives",): of.place(("objective",)),
        ("indicator",): of.place(("sli",)),
        ("indicator", "bad"): of.place(("sli", "events", "error_query")),
        ("indicator", "total"): of.place(("sli", "events", "total_query")),
        ("alerting",): of.place(("alerting",)),
    }


def _name(service: str, name: str) -> str:
    """Sloth's own id is `service-name`."""
    return re.sub(r"[^a-z0-9]+", "-", f"{service}-{name}".lower())[:63].strip("-")
