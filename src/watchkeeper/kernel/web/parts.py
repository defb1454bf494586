"""The parts of a running app: what routes are handed instead of reaching for globals."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

from fastapi import Depends
from starlette.requests import HTTPConnection

from watchkeeper.kernel.clock import Clock, SystemClock

if TYPE_CHECKING:
    from watchkeeper.kernel.db.database import Database

T = TypeVar("T")


class MissingPartError(LookupError):
    """A route asked for a part that the app was not built with: a mistake in the wiring."""


class Parts(Mapping[Any, Any]):
    """Instances by the class or Protocol they were registered under."""

    def __init__(self, parts: Mapping[Any, Any] | None = None) -> None:
        self._parts: dict[Any, Any] = dict(parts or {})

    # A Protocol is no `type[T]` to mypy, but it is a callable that gives one.
    def __getitem__(self, cls: Callable[..., T]) -> T:
        """The part registered under `cls`; raises MissingPartError."""
        try:
            found: T = self._parts[cls]
        except KeyError:
            raise MissingPartError(f"this app was built without a {getattr(cls, '__name__', cls)}") from None
        return found

    def find(self, cls: Callable[..., T]) -> T | None:
        """The part registered under `cls`, or None."""
        found: T | None = self._parts.get(cls)
        return found

    def add(self, cls: Callable[..., T], instance: T) -> None:
        """Register `instance` under `cls`, in the place of an earlier one."""
        self._parts[cls] = instance

    def __iter__(self) -> Iterator[Any]:
        return iter(self._parts)

    def __len__(self) -> int:
        return len(self._parts)

    def __contains__(self, cls: object) -> bool:
        return cls in self._parts


def parts_of(connection: HTTPConnection) -> Parts:
    """The parts of the app that serves this connection."""
    parts: Parts = connection.app.state.parts
    return parts


@lru_cache(maxsize=512)
def part(cls: Callable[..., T]) -> Any:
    """A FastAPI dependency: `db: Annotated[Database, part(Database)]`."""

    async def fetch(connection: HTTPConnection) -> T:
        return parts_of(connection)[cls]

    # FastAPI reads annotations from the function's globals; these are set so that it finds real classes.
    fetch.__annotations__ = {"connection": HTTPConnection}
    return Depends(fetch)


def clock_part() -> Any:
    """`clock: Annotated[Clock, clock_part()]`."""
    return part(SystemClock)


def clock_of(connection: HTTPConnection) -> Clock:
    """The app's clock; it is registered under `SystemClock` even when it is a manual one."""
    clock: Clock | None = parts_of(connection).find(SystemClock)
    return clock or SystemClock()


def database_part() -> Any:
    """`db: Annotated[Database, database_part()]`."""
    from watchkeeper.kernel.db.database import Database

    return part(Database)


def database_of(connection: HTTPConnection) -> Database:
    """The app's database."""
    from watchkeeper.kernel.db.database import Database

    return parts_of(connection)[Database]
