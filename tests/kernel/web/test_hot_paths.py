"""A mount that is asked all the time is reached without what pages need; everything else is not."""

from __future__ import annotations

from starlette.testclient import TestClient
from starlette.types import Receive, Scope, Send

from tests.kernel.web.support import VIEW, small_app
from watchkeeper.kernel.web.hot_paths import HotPaths


class Echo:
    """Answers with its path and with what it was mounted in."""

    permission = VIEW

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": f"{scope['path']} {scope['app'].title}".encode()})


def asked(path: str, *, hot: bool) -> tuple[str, bool]:
    """The answer, and whether it came through the middleware."""
    app = small_app(mounts={"/hot": Echo()}, hot=("/hot",), exact={"/alone": Echo()})
    answer = TestClient(HotPaths(app) if hot else app).get(path)
    return answer.text, "content-security-policy" in answer.headers


def test_a_hot_mount_gets_the_same_request_either_way() -> None:
    assert asked("/hot/question", hot=True) == ("/hot/question Watchkeeper", False)
    assert asked("/hot/question", hot=False) == ("/hot/question Watchkeeper", True)


def test_what_only_begins_alike_takes_the_long_way() -> None:
    for path in ("/hotter", "/hot%2e%2e/readyz", "/", "/healthz", "/alone/below", "/alon"):
        assert asked(path, hot=True)[1], path


def test_a_single_path_is_reached_either_way_and_nothing_below_it() -> None:
    assert asked("/alone", hot=True) == ("/alone Watchkeeper", False)
    assert asked("/alone", hot=False) == ("/alone Watchkeeper", True)
    assert "alone/below Watchkeeper" not in asked("/alone/below", hot=True)[0]
