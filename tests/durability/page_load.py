"""A sender that repeats until 2xx, a provider that counts, and what stands between them: for tests of lost pages."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx

from watchkeeper.app import migrations
from watchkeeper.app.configuration import load_configuration
from watchkeeper.app.server import installation_key
from watchkeeper.kernel.clock import SystemClock
from watchkeeper.kernel.db.database import open_database
from watchkeeper.kernel.db.migrations import Migrations
from watchkeeper.kernel.ids import new_id
from watchkeeper.kernel.outbound import Outbound
from watchkeeper.modules.alerts.integrations import Integrations
from watchkeeper.modules.alerts.model import Integration, Kind
from watchkeeper.modules.identity import store as people
from watchkeeper.modules.identity.model import Person, Role
from watchkeeper.modules.notify import store as contacts
from watchkeeper.modules.notify.codes import code_of
from watchkeeper.modules.notify.model import ChannelKind
from watchkeeper.modules.notify.service import Notify
from watchkeeper.modules.oncall.policy import Policy
from watchkeeper.modules.oncall.service import Definitions

SETTINGS = {"WATCHKEEPER_OUTBOUND_PRIVATE_NETWORKS": "127.0.0.0/8", "WATCHKEEPER_SELF_TELEMETRY": "false"}
_BY, _SOURCE = "system:test", "test"
_WORD = "Page number"
_FINISHES_WITHIN = 120.0


def settings_for(url: str | None) -> dict[str, str]:
    """By their variables."""
    return {**SETTINGS, **({"WATCHKEEPER_DATABASE_URL": url} if url is not None else {})}


def prepare(url: str | None, data: Path, provider: str) -> str:
    """Ann, whom every alert pages by a webhook; answers the key by which alerts come in."""
    configuration, clock = load_configuration(settings_for(url), data=data), SystemClock()
    db = open_database(url, data)
    try:
        Migrations(Path(migrations.__file__).parent).migrate(db.engine)
        key = installation_key(configuration, db)
        with db.begin() as session:
            said = {"name": "Ann", "email": "ann@example.com", "role": Role.RESPONDER, "password_hash": None}
            ann = Person(id=new_id("per"), created_at=clock.now(), **said)
            people.add_person(session, ann, seat=None)
            verbs = Notify(session, clock, key, Outbound.of(configuration.outbound))
            goes_to, secret = {"url": provider}, {"secret": "0123456789abcdef"}
            verbs.put_channel("hook", ChannelKind.WEBHOOK, settings=goes_to, secrets=secret, by=_BY, source=_SOURCE)
            contact = verbs.add_contact(ann.id, "hook", "", "mine", by=_BY, source=_SOURCE)
            row = contacts.contact_row(session, contact.id)
            assert row is not None
            verbs.verify(ann.id, contact.id, code_of(key, contact.id, row.code_until), by=_BY, source=_SOURCE)
            steps = [{"notify": [{"person": ann.id}], "wait": "12h"}]
            policy = Policy.model_validate({"name": "all", "default": True, "steps": steps})
            Definitions(session, clock).put(policy, by=_BY, source=_SOURCE)
            order = Integration(id="", name="load", kind=Kind.PAGERDUTY, rate_per_minute=1_000_000)
            return Integrations(session, clock).add(order, by=_BY, source=_SOURCE)[1]
    finally:
        db.close()


class Receiver:
    """A provider: whatever it has read whole counts as delivered, whoever lives to hear its answer."""

    def __init__(self) -> None:
        self.sent: Counter[str] = Counter()
        self.keys: dict[int, set[str]] = defaultdict(set)
        self.first: dict[int, float] = {}
        self._lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                outer.take(self.headers["Idempotency-Key"], self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_args: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            request_queue_size = 256

            def handle_error(self, *_args: Any) -> None:
                """A sender that was killed is what this is about."""

        self._http = Server(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._http.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"

    def take(self, key: str, body: bytes) -> None:
        """Count it; a body that was cut off is none."""
        try:
            title = str(json.loads(body)["title"])
        except ValueError:
            return
        if _WORD not in title:
            return  # the code that verifies the contact
        number = int(title.rpartition(" ")[2])
        with self._lock:
            self.sent[key] += 1
            self.keys[number].add(key)
            self.first.setdefault(number, time.monotonic())

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()


@dataclass
class Senders:
    """Each alert is sent when it is due, to one server after the other until one answers 2xx."""

    key: str
    urls: list[str]
    number: int
    per_second: float
    threads: int = 6
    accepted: dict[int, float] = field(default_factory=dict)
    refused: Counter[str] = field(default_factory=Counter)
    _next: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _ending: threading.Event = field(default_factory=threading.Event)
    _running: list[threading.Thread] = field(default_factory=list)

    def start(self) -> None:
        started = time.monotonic()
        self._running = [threading.Thread(target=self._run, args=(started,)) for _ in range(self.threads)]
        for one in self._running:
            one.start()

    @property
    def are_done(self) -> bool:
        return not any(one.is_alive() for one in self._running)

    def finish(self) -> None:
        """Begin no other one, and wait until those that were begun are accepted: their answers may have been lost."""
        self.number = 0
        for one in self._running:
            one.join(_FINISHES_WITHIN)

    def stop(self) -> None:
        """Send no more; what is not accepted by now never was."""
        self._ending.set()
        for one in self._running:
            one.join()

    def _run(self, started: float) -> None:
        with httpx.Client(timeout=15, trust_env=False) as client:
            while not self._ending.is_set():
                with self._lock:
                    mine = self._next
                    self._next += 1
                if mine >= self.number:
                    return
                self._ending.wait(max(0.0, started + mine / self.per_second - time.monotonic()))
                self._send(client, mine)

    def _send(self, client: httpx.Client, number: int) -> None:
        body, tries = event(self.key, number), number
        while not self._ending.is_set():
            try:
                answer = client.post(f"{self.urls[tries % len(self.urls)]}/v2/enqueue", json=body)
            except httpx.TransportError as error:
                self._refuse(type(error).__name__)
            else:
                if answer.is_success:
                    self.accepted[number] = time.monotonic()
                    return
                self._refuse(str(answer.status_code))
            tries += 1
            self._ending.wait(0.05)

    def _refuse(self, why: str) -> None:
        with self._lock:
            self.refused[why] += 1


def event(key: str, number: int) -> Mapping[str, Any]:
    """Each of a class of its own, so that each is a group and a page of its own."""
    payload = {"summary": f"{_WORD} {number}", "source": "load", "severity": "critical", "class": f"Class{number}"}
    return {"routing_key": key, "event_action": "trigger", "dedup_key": f"page-{number}", "payload": payload}


def wait_until(look: Callable[[], bool], *, within: float) -> bool:
    """Whether it came to be."""
    until = time.monotonic() + within
    while not look():
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True
