"""Pages of the catalog: the list, its CSV, and what is said of one service."""

# Annotations are kept as objects for FastAPI.
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import Depends, Query, Request
from starlette.responses import Response

from watchkeeper.kernel.clock import rfc3339
from watchkeeper.kernel.db.database import Database
from watchkeeper.kernel.web.access import Actor
from watchkeeper.kernel.web.csv_table import csv_response, csv_text
from watchkeeper.kernel.web.pages import NavItem, render
from watchkeeper.kernel.web.wire import page_router
from watchkeeper.modules.catalog import store
from watchkeeper.modules.catalog.graph import NODE_HEIGHT, NODE_WIDTH, graph
from watchkeeper.modules.catalog.model import TIERS, Service
from watchkeeper.modules.catalog.pages_drift import as_file, shown_edits
from watchkeeper.modules.catalog.pages_form import AboutForm
from watchkeeper.modules.catalog.permissions import EDIT_CATALOG, VIEW_CATALOG, owning_team
from watchkeeper.modules.catalog.public import service_tabs
from watchkeeper.modules.catalog.readiness import ReadinessChecks
from watchkeeper.modules.catalog.routes import Checks, Db, Now, ServiceName, Viewer
from watchkeeper.modules.catalog.service import Catalog

router = page_router()
NAV = (NavItem("Services", "/services", "services", order=20, permission=VIEW_CATALOG, key="s"),)
_PATIENCE_SECONDS = 0.3
_MOST_SCORED = 200


@dataclass(frozen=True)
class ServiceFilter:
    """Which services the list shows."""

    q: str
    owner: str
    tier: str
    environment: str

    def fits(self, service: Service) -> bool:
        words = " ".join((service.name, service.title, service.about.description or "")).casefold()
        return (
            all(word in words for word in self.q.casefold().split())
            and self.owner in ("", service.about.owner or "-")
            and self.tier in ("", str(service.about.tier or "-"))
            and (not self.environment or self.environment in service.environments)
        )

    @property
    def query(self) -> str:
        """The filter as it stands in the address."""
        return urlencode({name: value for name, value in vars(self).items() if value})


def _service_filter(
    q: Annotated[str, Query(max_length=200)] = "",
    owner: Annotated[str, Query(max_length=200)] = "",
    tier: Annotated[str, Query(max_length=1)] = "",
    environment: Annotated[str, Query(max_length=300)] = "",
) -> ServiceFilter:
    return ServiceFilter(q.strip(), owner, tier, environment)


Filter = Annotated[ServiceFilter, Depends(_service_filter)]


@router.get("/services")
async def services(who: Viewer, request: Request, db: Db, clock: Now, checks: Checks, wanted: Filter) -> Response:
    """All services with owner, tier and how ready they are."""
    everything = await db.ask(store.all_services)
    shown = [one for one in everything if wanted.fits(one)]
    cards = await checks.scorecards(shown[:_MOST_SCORED], clock.monotonic(), patience=_PATIENCE_SECONDS)
    return render(
        request,
        "catalog/services.html",
        services=shown,
        cards=cards,
        pending=len(cards) < min(len(shown), _MOST_SCORED),
        wanted=wanted,
        owners=sorted({one.about.owner for one in everything if one.about.owner}),
        environments=sorted({name for one in everything for name in one.environments}),
        tiers=TIERS,
        total=len(everything),
    )


@router.get("/services.csv")
async def services_csv(who: Viewer, db: Db, wanted: Filter) -> Response:
    """The list as CSV."""
    found = await db.ask(store.all_services)
    text = csv_of(one for one in found if wanted.fits(one))
    return csv_response("services.csv", text)


@router.get("/services/{name:path}/about")
async def about(who: Viewer, request: Request, name: ServiceName, db: Db, clock: Now, checks: Checks) -> Response:
    """Scorecard, description, dependencies and the form to change them."""
    service = await db.ask(lambda session: Catalog(session, clock).service(name))
    return await about_page(request, db, service, checks, who, now=clock.monotonic())


async def about_page(
    request: Request,
    db: Database,
    service: Service,
    checks: ReadinessChecks,
    who: Actor,
    *,
    now: float,
    form: AboutForm | None = None,
    errors: dict[str, str] | None = None,
    status: int = 200,
) -> Response:
    """The page, with what somebody typed if it has to be typed again."""
    everything, edits, team = await db.ask(
        lambda session: (
            store.all_services(session),
            shown_edits(session, service),
            owning_team(session, service.about.owner),
        )
    )
    known = frozenset(one.name for one in everything)
    callers = [one.name for one in everything if service.name in one.about.dependencies]
    return render(
        request,
        "catalog/about.html",
        status=status,
        service=service,
        card=await checks.scorecard(service, now),
        callers=callers,
        graph=graph(service.name, callers, service.about.dependencies, known),
        node={"width": NODE_WIDTH, "height": NODE_HEIGHT},
        known=known,
        tiers=TIERS,
        form=form or AboutForm.of(service),
        errors=errors or {},
        may_edit=who.may(EDIT_CATALOG) and who.acts_for(team),
        others=team if who.may(EDIT_CATALOG) and not who.acts_for(team) else None,
        edits=edits,
        as_file=as_file(service),
        tab_items=service_tabs(service.name, "About"),
    )


def csv_of(services: Iterable[Service]) -> str:
    """One row a service."""
    header = ["name", "title", "owner", "tier", "repository", "environments", "depends on", "described by", "last seen"]
    return csv_text(header, (_row(one) for one in services))


def _row(one: Service) -> list[Any]:
    about = one.about
    row: list[Any] = [one.name, about.title, about.owner, about.tier, about.repository]
    row += ["; ".join(one.environments), "; ".join(about.dependencies), one.managed_by]
    return [*row, rfc3339(one.last_seen) if one.last_seen else None]
