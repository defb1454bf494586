"""The safety queue: what members report, and what came of it."""

from __future__ import annotations

import logging
import sqlite3
import time
import uuid
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from examples.duet.people import TRUST_AND_SAFETY
from examples.duet.service import body_of, member_of
from examples.duet.storage import Store
from examples.duet.values import Values
from examples.duet.watching import tell

SCHEMA = """
CREATE TABLE IF NOT EXISTS reports (report_id TEXT PRIMARY KEY, filed_by TEXT NOT NULL, about TEXT NOT NULL,
  category TEXT NOT NULL, urgency INTEGER NOT NULL, text TEXT NOT NULL, filed_at REAL NOT NULL, triaged_at REAL,
  action TEXT);
CREATE INDEX IF NOT EXISTS reports_waiting ON reports (urgency, filed_at) WHERE triaged_at IS NULL;
CREATE INDEX IF NOT EXISTS reports_triaged ON reports (triaged_at);
"""
SEVERITIES = ("critical", "high", "standard")
SEVERITY_OF = {
    "child_safety": "critical",
    "violence": "critical",
    "self_harm": "critical",
    "harassment": "high",
    "scam": "high",
    "inappropriate_content": "standard",
    "other": "standard",
}
ACTIONS = ("none", "warning", "content_removal", "suspension", "ban", "device_ban")
_WAITING = """
SELECT report_id, about, category, urgency, text, filed_at FROM reports WHERE triaged_at IS NULL
ORDER BY urgency, filed_at LIMIT 20
"""
_FORGET = """
DELETE FROM reports WHERE triaged_at <= (
  SELECT triaged_at FROM reports WHERE triaged_at IS NOT NULL ORDER BY triaged_at DESC LIMIT 1 OFFSET ?)
"""
_KEPT = 20_000
_log = logging.getLogger("duet.safety")


class Reports:
    """The verbs of the safety queue."""

    def __init__(self, store: Store, values: Values) -> None:
        self._store = store
        self._values = values

    def routes(self) -> list[Route]:
        return [
            Route("/v1/reports", self.file, methods=["POST"]),
            Route("/v1/safety/reports", self.waiting),
            Route("/v1/safety/reports/{report_id}/triage", self.triage, methods=["POST"]),
        ]

    async def file(self, request: Request) -> JSONResponse:
        """POST /v1/reports"""
        me = member_of(request)
        body = await body_of(request, about=str, category=str, text=str)
        severity = SEVERITY_OF.get(body["category"])
        if severity is None:
            raise HTTPException(422, f"category: expected one of {', '.join(SEVERITY_OF)}")
        longest = self._values("REPORT_MAX_DESCRIPTION_LENGTH", me)
        if len(body["text"]) > longest:
            raise HTTPException(422, f"text: expected at most {longest} characters")
        report = f"rep_{uuid.uuid4().hex}"
        place = (body["about"], body["category"], SEVERITIES.index(severity), body["text"])
        await self._store.write(lambda cursor: _file(cursor, (report, me, *place, time.time())))
        tell("duet.report.filed", report_id=report, severity=severity, category=body["category"])
        _log.info("report filed", extra={"user": me, "report": report, "severity": severity})
        return JSONResponse({"report_id": report}, 201)

    async def waiting(self, request: Request) -> JSONResponse:
        """GET /v1/safety/reports"""
        _require_staff(request)
        rows = await self._store.read(lambda cursor: cursor.execute(_WAITING).fetchall())
        names = ("report_id", "about", "category", "severity", "text", "filed_at")
        items = [dict(zip(names, (*row[:3], SEVERITIES[row[3]], *row[4:]), strict=True)) for row in rows]
        return JSONResponse({"items": items})

    async def triage(self, request: Request) -> JSONResponse:
        """POST /v1/safety/reports/{report_id}/triage"""
        _require_staff(request)
        action = (await body_of(request, action=str))["action"]
        if action not in ACTIONS:
            raise HTTPException(422, f"action: expected one of {', '.join(ACTIONS)}")
        report = request.path_params["report_id"]
        found = await self._store.write(lambda cursor: _triage(cursor, report, action, time.time()))
        if found is None:
            raise HTTPException(404, "no such report waits")
        severity = SEVERITIES[found]
        tell("duet.report.triaged", report_id=report, severity=severity, action=action)
        _log.info("report triaged", extra={"report": report, "severity": severity, "action": action})
        return JSONResponse({"report_id": report, "action": action})


def _require_staff(request: Request) -> None:
    if member_of(request) != TRUST_AND_SAFETY.user_id:
        raise HTTPException(403, "for trust and safety only")


def _file(cursor: sqlite3.Cursor, row: tuple[Any, ...]) -> None:
    cursor.execute("INSERT INTO reports VALUES (?, ?, ?, ?, ?, ?, ?, NULL, NULL)", row)
    cursor.execute(_FORGET, (_KEPT,))


def _triage(cursor: sqlite3.Cursor, report: str, action: str, now: float) -> int | None:
    """The urgency of the report, if it waited."""
    changed = (
        "UPDATE reports SET triaged_at = ?, action = ? WHERE report_id = ? AND triaged_at IS NULL RETURNING urgency"
    )
    row = cursor.execute(changed, (now, action, report)).fetchone()
    return None if row is None else int(row[0])
