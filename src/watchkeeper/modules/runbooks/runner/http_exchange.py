"""A runner's way to a server, over HTTP, from inside another network: it asks, nobody reaches it."""

from __future__ import annotations

from typing import Any

import httpx

from watchkeeper.kernel.errors import Unavailable
from watchkeeper.modules.runbooks.errors import LeaseIsGone
from watchkeeper.modules.runbooks.leasing import Lease, Report
from watchkeeper.modules.runbooks.runner.loop import ReportRefused

_WAIT_SECONDS = 20
_GONE = LeaseIsGone.code


class RunnerRefused(Exception):
    """The server does not want this runner: a token that is wrong, or one without the scope."""


class HttpExchange:
    """Speaks with one server, which it was told of by whoever started it; so no address is anybody else's choice."""

    def __init__(self, client: httpx.Client, name: str) -> None:
        self._client, self._name = client, name

    def claim(self) -> Lease | None:
        """Waits up to 20 s at the server."""
        order = {"runner": self._name, "wait_seconds": _WAIT_SECONDS}
        found = self._post("/api/v1/runner/claim", order, seconds=_WAIT_SECONDS + 15.0)
        return Lease(**found["lease"]) if found.get("lease") else None

    def begin(self, lease: Lease) -> None:
        self._post(f"{_path(lease)}/begin", {"token": lease.token})

    def progress(self, lease: Lease, output: str, output_bytes: int) -> bool:
        order = {"token": lease.token, "output": output, "output_bytes": output_bytes}
        return bool(self._post(f"{_path(lease)}/progress", order)["stop"])

    def finish(self, lease: Lease, report: Report) -> None:
        order = {
            "token": lease.token,
            "state": report.state.value,
            "output": report.output,
            "output_bytes": report.output_bytes,
            "exit_code": report.exit_code,
            "detail": report.detail,
        }
        self._post(f"{_path(lease)}/finish", order)

    def _post(self, path: str, order: dict[str, Any], *, seconds: float = 15.0) -> dict[str, Any]:
        try:
            answer = self._client.post(path, json=order, timeout=seconds)
        except httpx.HTTPError as error:
            raise Unavailable(_why(error)) from None
        if answer.is_success:
            found: dict[str, Any] = answer.json() if answer.content else {}
            return found
        if answer.status_code == 409 and _code(answer) == _GONE:
            raise LeaseIsGone("The server gave this step up.")
        if answer.status_code in (401, 403):
            if path.endswith("/claim"):
                raise RunnerRefused(
                    f"the server answered {answer.status_code}: a token with the scope runner is needed"
                )
            raise LeaseIsGone("This runner's token works no more.")
        if answer.status_code in (413, 422):
            raise ReportRefused(f"the server answered {answer.status_code}")
        raise Unavailable(f"the server answered {answer.status_code}")


def _why(error: httpx.HTTPError) -> str:
    said = str(error)
    if "CERTIFICATE_VERIFY_FAILED" in said:
        why = said.partition("certificate verify failed: ")[2].partition(" (_ssl")[0]
        return f"its certificate is not trusted: {why or said}. --ca-file names an authority of your own"
    return type(error).__name__


def _path(lease: Lease) -> str:
    return f"/api/v1/runner/runs/{lease.run}/steps/{lease.number}"


def _code(answer: httpx.Response) -> str:
    try:
        return str(answer.json().get("code"))
    except ValueError:
        return ""
