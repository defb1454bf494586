"""A console with nothing but identity in it, and the browsers that come to it."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from fastapi import FastAPI
from starlette.testclient import TestClient

from watchkeeper.kernel.clock import ManualClock, SystemClock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.journal import Fact, FactFilter, read_facts
from watchkeeper.kernel.keys import InstallationKey
from watchkeeper.kernel.settings import ServerSettings
from watchkeeper.kernel.web.app_factory import create_app
from watchkeeper.kernel.web.parts import Parts
from watchkeeper.modules.identity import public
from watchkeeper.modules.identity.authenticator import IdentityAuthenticator
from watchkeeper.modules.identity.control import ControlToken
from watchkeeper.modules.identity.hashing import Cost, Passwords
from watchkeeper.modules.identity.settings import IdentitySettings
from watchkeeper.modules.identity.wiring import NAV, ROUTERS, STATIC, TEMPLATES, identity_parts

CHEAP = Cost(passes=1, memory_kib=8, lanes=1)
PASSWORD = "plum tractor winter seven"
ALICE = {"name": "Alice Archer", "email": "alice@example.org", "password": PASSWORD, "again": PASSWORD}
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


@dataclass
class Console:
    """One server; `another()` is a second replica on the same database."""

    database: Database
    clock: ManualClock
    control: ControlToken
    app: FastAPI
    settings: IdentitySettings
    clients: ExitStack

    @classmethod
    @contextmanager
    def open(
        cls,
        database: Database,
        clock: ManualClock,
        *,
        base_url: str | None = None,
        settings: IdentitySettings | None = None,
        extra: Mapping[Any, Any] | None = None,
        **wiring: Any,
    ) -> Iterator[Console]:
        settings = settings or IdentitySettings()
        server = ServerSettings(base_url=base_url)
        control = ControlToken("wkc_" + "c" * 43)
        key = InstallationKey(b"k" * 32)
        shared = {Database: database, SystemClock: clock, ServerSettings: server, InstallationKey: key}
        parts = Parts({**shared, **(extra or {})})
        for cls_, part in identity_parts(
            database, clock, settings, server, control=control, passwords=Passwords(CHEAP)
        ).items():
            parts.add(cls_, part)
        app = create_app(
            parts=parts,
            routers=[*ROUTERS, *wiring.pop("routers", [])],
            nav=NAV,
            templates=TEMPLATES,
            static=STATIC,
            **wiring,
        )
        with ExitStack() as clients:
            yield cls(database, clock, control, app, settings, clients)

    def another(self) -> Console:
        return self.clients.enter_context(Console.open(self.database, self.clock, settings=self.settings))

    def client(self, address: str, **options: Any) -> TestClient:
        made = TestClient(self.app, client=(address, 40_000), follow_redirects=False, **options)
        return self.clients.enter_context(made)

    def settle(self, client: TestClient) -> None:
        """Wait until "last used" and "last seen" are written."""
        assert client.portal is not None
        client.portal.call(self.app.state.parts[IdentityAuthenticator].settle)

    def browser(self, address: str = "203.0.113.7", *, https: bool = False) -> Browser:
        return Browser(self, address, https=https)

    def program(self, token: str | None = None, address: str = "198.51.100.9") -> TestClient:
        """A client that sends a bearer token, as scripts do."""
        return self.client(address, headers={"Authorization": f"Bearer {token}"} if token else {})

    def setup_secret(self) -> str:
        with self.database.begin() as session:
            secret = public.ensure_setup_link(session, self.clock, self.settings)
        assert secret is not None
        return secret

    def set_up(self, **changes: str) -> Browser:
        """Alice's browser, signed in as the first person."""
        browser = self.browser()
        answer = browser.submit(f"/setup/{self.setup_secret()}", ALICE | changes)
        assert answer.status_code == 303, answer.text
        return browser

    def token(self, *scopes: str, name: str = "script", **more: Any) -> tuple[str, str]:
        """Id and secret of a fresh token, made by the command line."""
        answer = self.program(self.control.secret, "127.0.0.1").post(
            "/api/v1/tokens", json={"name": name, "scopes": list(scopes), **more}
        )
        assert answer.status_code == 201, answer.text
        return answer.json()["id"], answer.json()["secret"]

    def facts(self, kind: str = "identity.") -> list[Fact]:
        with self.database.read() as session:
            return read_facts(session, FactFilter(kinds=(kind,)), limit=1000, newest_first=False)

    def look(self, query: Any, *args: Any) -> Any:
        with self.database.read() as session:
            return query(session, *args)

    def change(self, verb: Any, *args: Any) -> Any:
        with self.database.begin() as session:
            return verb(session, *args)


class Browser:
    """Keeps cookies, sends what a browser sends, and fills in forms with the hidden fields they came with."""

    def __init__(self, console: Console, address: str, *, https: bool) -> None:
        self.console = console
        self.client = console.client(
            address,
            base_url="https://console" if https else "http://console",
            headers={"User-Agent": FIREFOX, "Accept": "text/html"},
        )

    @property
    def session_cookie(self) -> str | None:
        return self.client.cookies.get("wk_session")

    def get(self, path: str) -> httpx.Response:
        return self.client.get(path)

    def submit(self, path: str, fields: Mapping[str, str], *, page: str | None = None) -> httpx.Response:
        """Open `page` (by default `path`), then send its hidden fields and `fields` to `path`."""
        shown = self.get(page or path).text
        form = shown.partition(f'action="{path}"')[2].partition("</form>")[0]
        hidden = hidden_fields(form or shown)
        return self.client.post(path, data={**hidden, **fields}, headers={"Sec-Fetch-Site": "same-origin"})

    def sign_in(self, email: str = ALICE["email"], password: str = PASSWORD, next_path: str = "") -> httpx.Response:
        return self.submit("/login", {"email": email, "password": password}, page=f"/login?next={next_path}")

    def is_signed_in(self) -> bool:
        return self.get("/account").status_code == 200


_HIDDEN = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)"')


def hidden_fields(page: str) -> dict[str, str]:
    return {name: html.unescape(value) for name, value in _HIDDEN.findall(page)}
