"""Takes checkpoints off the machine: by webhook, by e-mail, to a second Watchkeeper."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from watchkeeper.app.audit import store
from watchkeeper.app.audit.events import DeliveryResumed, DeliveryStopped
from watchkeeper.app.audit.settings import AuditSettings
from watchkeeper.kernel import journal
from watchkeeper.kernel.clock import Clock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.errors import Refusal
from watchkeeper.kernel.mail import Mail, Mailer, MailFailed
from watchkeeper.kernel.outbound import DeliveryFailed, Outbound
from watchkeeper.kernel.work import Task

KIND = "audit.checkpoint"
SIGNATURE_HEADER = "X-Watchkeeper-Signature"
_BY = "system:audit"


class NotDelivered(Exception):
    """It comes back later; the reason is kept with the sink."""


@dataclass(frozen=True)
class CheckpointDelivery:
    """A work Handler: one checkpoint to one sink, at least once. What a sink gets twice says the same twice."""

    db: Database
    clock: Clock
    settings: AuditSettings
    outbound: Outbound
    mailer: Mailer

    def act(self, task: Task) -> int:
        """Send it. Raises NotDelivered, after recording why."""
        sink, line = task.payload["sink"], task.payload["checkpoint"]
        seq = int(json.loads(line)["seq"])
        with self.db.read() as session:
            held = store.delivery(session, sink)
        if held.seq is not None and held.seq > seq and sink != "email":
            return seq  # a newer one got through meanwhile, and covers this one
        try:
            self._send(sink, line, task)
        except (DeliveryFailed, MailFailed, Refusal, OSError) as error:
            reason = error.detail if isinstance(error, Refusal) else _short(error)
            self._failed(sink, reason)
            raise NotDelivered from None
        return seq

    def finish(self, session: Session, task: Task, result: int) -> None:
        sink = task.payload["sink"]
        held = store.delivery(session, sink)
        now = self.clock.now()
        if held.failing_since is not None:
            journal.append(session, DeliveryResumed(sink=sink), by=_BY, source="worker", at=now)
        store.record_delivered(session, sink, result, now)

    def _send(self, sink: str, line: str, task: Task) -> None:
        settings = self.settings
        if sink == "email" and settings.email_to:
            self.mailer.send(_mail(settings.email_to, line, task.key))
        elif sink == "webhook" and settings.webhook_url:
            self.outbound.post(
                settings.webhook_url, line.encode(), _signed(line, settings.webhook_secret_file, task.key)
            )
        elif sink == "peer" and settings.peer_url:
            body = json.dumps({"checkpoint": json.loads(line), "public_key": task.payload["public_key"]})
            url = settings.peer_url.rstrip("/") + "/api/v1/audit/checkpoints"
            self.outbound.post(url, body.encode(), _bearer(settings.peer_token_file, task.key))

    def _failed(self, sink: str, reason: str) -> None:
        now = self.clock.now()
        with self.db.begin() as session:
            if store.delivery(session, sink).failing_since is None:
                store.record_failed(session, sink, reason, now)
                journal.append(session, DeliveryStopped(sink=sink, error=reason), by=_BY, source="worker", at=now)


def _mail(to: str, line: str, key: str) -> Mail:
    held: Mapping[str, Any] = json.loads(line)
    text = (
        f"The journal had {held['seq']} facts at {held['at']}.\n\n"
        "Keep this message: `watchkeeper audit verify` compares the journal with the line below. Save it in a folder "
        f"as mail.ndjson, with the public key {held['key']}.pub in keys/ beside it.\n\n{line}\n"
    )
    return Mail(to=to, subject=f"Watchkeeper checkpoint: {held['seq']} facts", text=text, key=_digest(key))


def _signed(line: str, secret_file: Path | None, key: str) -> dict[str, str]:
    headers = {"Content-Type": "application/json", "Idempotency-Key": _digest(key)}
    if secret_file is not None:
        secret = secret_file.read_text(encoding="utf-8").strip().encode()
        headers[SIGNATURE_HEADER] = "sha256=" + hmac.new(secret, line.encode(), hashlib.sha256).hexdigest()
    return headers


def _bearer(token_file: Path | None, key: str) -> dict[str, str]:
    headers = {"Content-Type": "application/json", "Idempotency-Key": _digest(key)}
    if token_file is not None:
        headers["Authorization"] = f"Bearer {token_file.read_text(encoding='utf-8').strip()}"
    return headers


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:32]


def _short(error: Exception) -> str:
    # Errors of files may quote a path; the name says enough.
    return type(error).__name__ if isinstance(error, OSError) else str(error)
