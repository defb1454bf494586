"""A bad day of the shop: incidents, a run of a runbook, a rule that acts, a postmortem and what the public is told.

Names are as long, as wide and as hostile as they may be."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx

from tests.browser.objectives import BURNING
from tests.browser.shop import ORDERS
from tests.support.running import eventually
from watchkeeper.kernel.clock import SystemClock, rfc3339

WIDE = "Bestellungen<b>" + "nichtabrufbar" * 13
RUNBOOK, RULE, COMPONENT = "orders-are-away", "orders-come-back", "orders"
_RUNBOOK = f"""\
---
title: "{WIDE}"
service: {ORDERS}
owners: [team-{"shop" * 12}]
alerts: {{{BURNING}: resolution}}
metrics:
  - {{name: "latency", title: "{WIDE[:80]}"}}
reviewed: 2026-11-30
---

# Orders are away

## Resolution

- [ ] Look at `{"a.very.long.name." * 12}`

```sh {{run=shell id=restart title="Start it again {"andagain" * 12}" confirm=confirm timeout=1m}}
echo {"long" * 60}
```

| Metric | {"Wide" * 20} |
| --- | --- |
| Errors | {"much" * 30} |
"""
_RULE = f"""\
name: {RULE}
description: {WIDE}
match: {{service: {ORDERS}, slo: {BURNING}}}
runbook: {RUNBOOK}
steps: [restart]
touches: {{instances of {ORDERS}: one}}
guards: {{most_runs: 2, window: 6h, cooldown: 30m, verify_within: 5m}}
"""


def befall(client: httpx.Client) -> None:
    """Have all of it happen, while an alert is open that the rule answers."""

    def post(path: str, body: dict[str, Any]) -> Any:
        return client.post(f"/api/v1{path}", json=body).raise_for_status().json()

    post("/ops/apply", {"files": {f"runbooks/{RUNBOOK}.md": _RUNBOOK, f"recovery/{RULE}.yaml": _RULE}})
    revision = client.get(f"/api/v1/runbooks/{RUNBOOK}").raise_for_status().json()["revision"]
    post(f"/runbooks/{RUNBOOK}/approve", {"revision": revision})
    component = {"title": WIDE[:90], "group": "Shop", "services": [ORDERS], "description": WIDE}
    client.put(f"/api/v1/status/components/{COMPONENT}", json=component).raise_for_status()
    over = post("/incidents", {"title": f"Over: {WIDE}", "severity": "SEV-1", "services": [ORDERS]})
    post(f"/incidents/{over['id']}/resolve", {"reason": "set back"})
    runs = post("/incidents", {"title": WIDE, "severity": "SEV-2", "services": [ORDERS], "impact": WIDE})
    post(f"/incidents/{runs['id']}/notes", {"text": f"{WIDE}\nhttps://example.org/{'path' * 40}"})
    post(f"/incidents/{runs['id']}/updates", {"text": WIDE, "public": True, "status": "identified"})
    post(f"/runbooks/{RUNBOOK}/runs", {"reason": WIDE, "about": {"type": "incident", "id": runs["id"]}})
    _tell(post)
    draft = eventually(lambda: _newest(client, "/postmortems"))
    action = {"title": WIDE, "detail": WIDE, "due_on": f"{SystemClock().now() + timedelta(days=3):%Y-%m-%d}"}
    post(f"/postmortems/{draft}/actions", action)
    eventually(lambda: _newest(client, "/recovery/attempts"))


def places(client: httpx.Client) -> dict[str, str]:
    """The ids of what befell, by what they are of."""
    lists = {"incident": "/incidents?open=true", "postmortem": "/postmortems", "attempt": "/recovery/attempts"}
    return {name: _newest(client, path) for name, path in {**lists, "run": "/runs?open_only=true"}.items()}


def _newest(client: httpx.Client, path: str) -> str:
    found = client.get(f"/api/v1{path}").raise_for_status().json()["items"]
    return str(found[0]["id"]) if found else ""


def _tell(post: Any) -> None:
    """One public incident that was edited, one that was withdrawn, and maintenance."""
    now = SystemClock().now()
    said = {"status": "investigating", "body": WIDE, "components": {COMPONENT: "partial_outage"}}
    told = [post("/status/updates", {"title": f"{WIDE}{number}", **said}) for number in range(2)]
    for one in told:
        post(f"/status/updates/{one['id']}/publish", {})
    post(f"/status/updates/{told[0]['id']}/withdraw", {"reason": WIDE})
    work = {"title": WIDE, "body": WIDE, "components": [COMPONENT], "starts_at": rfc3339(now + timedelta(hours=1))}
    post("/status/maintenances", {**work, "ends_at": rfc3339(now + timedelta(hours=2))})
