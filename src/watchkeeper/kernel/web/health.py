"""Is it alive, is it ready, how does it do: for orchestrators, load balancers and Prometheus."""

# Annotations are kept as objects for FastAPI.
import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Protocol

import structlog
from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from watchkeeper.kernel.errors import Unauthenticated
from watchkeeper.kernel.settings import ServerSettings
from watchkeeper.kernel.telemetry import metrics
from watchkeeper.kernel.web.access import Actor, Permission, Scope, authorise, public
from watchkeeper.kernel.web.parts import parts_of
from watchkeeper.kernel.web.settings import WebSettings

VIEW_METRICS = Permission("kernel.view_metrics", Scope.READ)
_CHECK_SECONDS = 5.0
_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_log = structlog.get_logger("watchkeeper.health")

router = APIRouter(include_in_schema=False)


class ReadyCheck(Protocol):
    """Something without which requests can't be served. Registered under `ReadyChecks`."""

    @property
    def name(self) -> str:
        """Short and stable, such as `database`."""
        ...

    async def check(self) -> str | None:
        """None when all is well, else one plain sentence."""
        ...


@dataclass(frozen=True)
class ReadyChecks:
    """The part that lists what readiness depends on."""

    checks: Sequence[ReadyCheck] = ()


@router.get("/healthz")
async def healthz(who: Annotated[Actor | None, public("an orchestrator has no account")]) -> JSONResponse:  # noqa: ARG001
    """The process lives and its event loop turns."""
    return JSONResponse({"status": "alive"})


@router.get("/readyz")
async def readyz(
    request: Request, who: Annotated[Actor | None, public("a load balancer has no account; details need one")]
) -> JSONResponse:
    """Every check passes; which one does not is told to those who are signed in."""
    checks = parts_of(request).find(ReadyChecks) or ReadyChecks()
    results = await asyncio.gather(*(_outcome(check) for check in checks.checks))
    troubles = {check.name: trouble for check, trouble in zip(checks.checks, results, strict=True)}
    ready = not any(troubles.values())
    answer: dict[str, object] = {"status": "ready" if ready else "not ready"}
    if who is not None:
        answer["checks"] = {name: trouble or "ok" for name, trouble in troubles.items()}
    return JSONResponse(answer, status_code=200 if ready else 503)


async def _outcome(check: ReadyCheck) -> str | None:
    try:
        return await asyncio.wait_for(check.check(), _CHECK_SECONDS)
    except TimeoutError:
        return f"no answer within {_CHECK_SECONDS:.0f} s"
    except Exception as error:  # noqa: BLE001 (an edge: a check that breaks is a check that fails)
        _log.warning("readiness check failed", check=check.name, exc_info=error)
        return f"failed: {type(error).__name__}"


@router.get("/metrics")
async def own_metrics(
    request: Request, who: Annotated[Actor | None, public("open on loopback only; else asks for the scope read")]
) -> Response:
    """Watchkeeper's own metrics as Prometheus text."""
    if not _open_to_all(request):
        if who is None:
            raise Unauthenticated(
                "Metrics need a bearer token with the scope 'read'; see the setting web.metrics_public."
            )
        await authorise(request, VIEW_METRICS)
    text, media_type = metrics.render(request.headers.get("accept", ""))
    return Response(text, headers={"Content-Type": media_type})


def _open_to_all(request: Request) -> bool:
    parts = parts_of(request)
    rule = parts[WebSettings].metrics_public
    if rule == "auto":
        return parts[ServerSettings].host in _LOOPBACK
    return rule == "always"
