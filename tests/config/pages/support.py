"""The console with nothing but runtime configuration in it: Alice may everything, Bob may read, Dora may write."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from typing import Any

import httpx
from starlette.requests import HTTPConnection
from starlette.testclient import TestClient

from tests.config.support import SETTINGS, Stage
from tests.kernel.web.support import PAGE, CastAuthenticator, browser, small_app
from watchkeeper.kernel.clock import SystemClock
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.web.access import Actor, Authenticator, Scope
from watchkeeper.modules.config import wiring
from watchkeeper.modules.config.hub import Hub
from watchkeeper.modules.config.settings import ConfigSettings

DORA = Actor("per_dora", "person", "Dora", frozenset({Scope.WRITE}), session_id="ses_dora")
SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin"}
MODE = {"key": "MODE", "type": "enum", "choices": ["fast", "slow"], "default": "slow"}
WAIT = {"key": "WAIT", "type": "duration", "default": "15m", "minimum": "1m", "maximum": "1h"}
OPENS = {"key": "OPENS_AT", "type": "time_of_day", "default": "09:00"}
LIMITS = {"key": "LIMITS", "type": "json", "default": {"a": 1}, "schema": {"type": "object"}}
DOOR = {"key": "DOOR_KEY", "type": "secret", "default": {"env": "DOOR"}}
OPEN = {"key": "IS_OPEN", "type": "boolean", "default": True}


class Cast(CastAuthenticator):
    """The cast with Dora in it."""

    async def authenticate(self, request: HTTPConnection) -> Actor | None:
        return DORA if request.cookies.get("who") == "dora" else await super().authenticate(request)


@dataclass
class Pages:
    """Somebody's browser in front of the pages."""

    client: TestClient

    def get(self, path: str, status: int = 200) -> httpx.Response:
        answer: httpx.Response = self.client.get(path)
        assert answer.status_code == status, words(answer.text)
        return answer

    def text(self, path: str, status: int = 200) -> str:
        return words(self.get(path, status).text)

    def post(self, path: str, page: str = "/config", **form: Any) -> httpx.Response:
        """Send a form with the token of a page."""
        token = re.search(r'name="csrf-token" content="([^"]+)"', self.client.get(page).text)
        assert token is not None
        sent: httpx.Response = self.client.post(path, data={"csrf_token": token[1], **form}, headers=SAME_ORIGIN)
        return sent

    def look(self, path: str, **form: Any) -> httpx.Response:
        """Send a form of a parameter's page; the answer is the preview."""
        answer = self.post(path, **{"environment": "production", "reason": "tried out", **form})
        assert answer.status_code == 200, words(answer.text)
        return answer

    def make(self, preview: httpx.Response, **changed: Any) -> httpx.Response:
        """Press the button of a preview."""
        form = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', preview.text))
        form = {name: html.unescape(value) for name, value in form.items()}
        made: httpx.Response = self.client.post("/config/changes", data={**form, **changed}, headers=SAME_ORIGIN)
        return made

    def change(self, path: str, **form: Any) -> str:
        """Look at a change and make it; answers the address of its page."""
        made = self.make(self.look(path, **form))
        assert made.status_code == 303, made.text
        return str(made.headers["location"])


def pages(stage: Stage, who: str = "alice", **more: Any) -> Pages:
    """Somebody in front of the pages of a stage."""
    parts: dict[Any, Any] = {
        Authenticator: Cast(),
        Database: stage.database,
        SystemClock: stage.clock,
        Hub: stage.hub,
        ConfigSettings: SETTINGS,
        **more.get("parts", {}),
    }
    options = {"templates": wiring.TEMPLATES, "static": wiring.STATIC, "nav": wiring.NAV}
    app = small_app(*wiring.ROUTERS, parts=parts, **options)
    return Pages(stage.clients.enter_context(browser(app, who, headers=PAGE)))


def words(page: str) -> str:
    """What one reads on a page, in one line."""
    inside = re.sub(r"<(script|style|svg)\b.*?</\1>", " ", page.partition("<main")[2], flags=re.DOTALL)
    return html.unescape(" ".join(re.sub(r"<[^>]*>", " ", inside).split()))
