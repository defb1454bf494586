"""A typed client of Watchkeeper's API. What the server adds later is ignored, so an old client goes on working."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Any, TypeVar

import httpx

T = TypeVar("T")
_PATIENCE = httpx.Timeout(10.0, connect=3.0)
_PAGE = 200


@dataclass(frozen=True)
class Complaint:
    """One thing wrong with what was sent."""

    where: str
    expected: str


class WatchkeeperError(Exception):
    """Watchkeeper said no, or could not be reached (then `status` is 0 and `code` is `client.unreachable`)."""

    def __init__(self, status: int, code: str, detail: str, complaints: tuple[Complaint, ...] = ()) -> None:
        super().__init__("; ".join([detail, *(f"{one.where}: {one.expected}" for one in complaints)]))
        self.status = status
        self.code = code
        self.detail = detail
        self.complaints = complaints


@dataclass(frozen=True)
class Service:
    """A service of the catalog."""

    name: str
    title: str
    owner: str | None
    tier: int | None
    environments: tuple[str, ...]
    dependencies: tuple[str, ...]
    last_seen: datetime | None


@dataclass(frozen=True)
class Fact:
    """Something that happened."""

    id: str
    at: datetime
    kind: str
    sentence: str
    service: str | None
    actor: str
    data: Mapping[str, Any]


class Watchkeeper:
    """Asks one Watchkeeper, as whoever `token` belongs to. To be used as a context manager, from one thread at a time.

    Every verb raises WatchkeeperError and nothing else.
    """

    def __init__(
        self,
        url: str,
        token: str | None = None,
        *,
        timeout: float | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._client = httpx.Client(
            base_url=url,
            headers={"Authorization": f"Bearer {token}"} if token else {},
            timeout=_PATIENCE if timeout is None else timeout,
            transport=transport,
        )

    def __enter__(self) -> Watchkeeper:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the connections."""
        self._client.close()

    def ready(self) -> bool:
        """Whether Watchkeeper can do its work now; False as well when it can't be reached."""
        try:
            return self._client.get("/readyz").status_code == httpx.codes.OK
        except httpx.HTTPError:
            return False

    def services(self, *, owner: str | None = None, tier: int | None = None) -> Iterator[Service]:
        """The services of the catalog by name, page after page as they are taken."""
        return self._pages("/api/v1/services", _service, {"owner": owner, "tier": tier})

    def timeline(
        self,
        *,
        service: str | None = None,
        kind: str | None = None,
        actor: str | None = None,
        since: datetime | str | None = None,
        until: datetime | str | None = None,
    ) -> Iterator[Fact]:
        """What happened, newest first, page after page as it is taken.

        A `kind` that ends in a dot is a prefix; times are instants or, as text, spans back from now such as `6h`.
        """
        asked = {"service": service, "kind": kind, "actor": actor, "since": _moment(since), "until": _moment(until)}
        return self._pages("/api/v1/timeline", _fact, asked)

    def _pages(self, path: str, read: Callable[[Any], T], asked: Mapping[str, Any]) -> Iterator[T]:
        params = {name: value for name, value in asked.items() if value is not None} | {"limit": _PAGE}
        while True:
            page = self._get(path, params)
            try:
                items, following = [read(item) for item in page["items"]], page["next"]
            except (KeyError, TypeError, ValueError) as error:
                raise _unreadable(path, error) from error
            yield from items
            if following is None:
                return
            params["cursor"] = following

    def _get(self, path: str, params: Mapping[str, Any]) -> Any:
        try:
            answer = self._client.get(path, params=params)
        except httpx.HTTPError as error:
            raise WatchkeeperError(0, "client.unreachable", f"can't reach Watchkeeper: {error}") from error
        if not answer.is_success:
            raise _refusal(answer)
        try:
            return answer.json()
        except ValueError as error:
            raise _unreadable(path, error) from error


def _refusal(answer: httpx.Response) -> WatchkeeperError:
    """The error that an answer of problem+json stands for; proxies on the way answer in other ways."""
    try:
        problem = answer.json()
        complaints = tuple(Complaint(str(one["where"]), str(one["expected"])) for one in problem.get("errors", []))
        return WatchkeeperError(answer.status_code, str(problem["code"]), str(problem["detail"]), complaints)
    except (AttributeError, KeyError, TypeError, ValueError):
        return WatchkeeperError(answer.status_code, "client.http", f"{answer.status_code} {answer.reason_phrase}")


def _unreadable(path: str, error: Exception) -> WatchkeeperError:
    return WatchkeeperError(200, "client.unreadable", f"the answer of {path} can't be read: {error!r}")


def _moment(moment: datetime | str | None) -> str | None:
    if isinstance(moment, datetime):
        if moment.tzinfo is None:
            raise WatchkeeperError(0, "client.naive_time", "a time needs a zone: which one is meant?")
        return moment.isoformat()
    return moment


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _service(item: Any) -> Service:
    return Service(
        name=item["name"],
        title=item["title"],
        owner=item["owner"],
        tier=item["tier"],
        environments=tuple(item["environments"]),
        dependencies=tuple(item["dependencies"]),
        last_seen=_instant(item["last_seen"]) if item["last_seen"] else None,
    )


def _fact(item: Any) -> Fact:
    return Fact(
        id=item["id"],
        at=_instant(item["at"]),
        kind=item["kind"],
        sentence=item["sentence"],
        service=item["service"],
        actor=item["actor"],
        data=item["data"],
    )
