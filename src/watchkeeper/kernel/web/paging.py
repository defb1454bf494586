"""Cursor pagination: `{items, next}`, with a cursor that only Watchkeeper reads."""

from __future__ import annotations

import base64
import binascii
from functools import lru_cache
from typing import Annotated, Any, Generic, TypeVar, cast

import orjson
from fastapi import Query
from pydantic import BaseModel, Field, TypeAdapter, ValidationError
from pydantic_core import to_jsonable_python

from watchkeeper.kernel.errors import Complaint, Invalid

T = TypeVar("T")

DEFAULT_LIMIT = 50
MAX_LIMIT = 200
_MAX_CURSOR = 1024
_INT64 = 2**63

Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT, description=f"Most items in the answer, up to {MAX_LIMIT}.")]
"""`limit: Limit = DEFAULT_LIMIT`"""

Cursor = Annotated[
    str | None,
    Query(max_length=_MAX_CURSOR, description="The `next` of the page before; opaque. Unset: the first page."),
]
"""`cursor: Cursor = None`"""


class Page(BaseModel, Generic[T]):
    """Some items and where the following ones start."""

    items: list[T]
    next: str | None = Field(None, description="Give it as `cursor` to get the following page; null on the last one.")


class BadCursor(Invalid):
    code = "kernel.bad_cursor"
    title = "The cursor is not one of ours"


def encode_cursor(key: Any) -> str:
    """An opaque text for `key`: strings, integers, datetimes, tuples or dataclasses of them."""
    plain = orjson.dumps(to_jsonable_python(key), option=orjson.OPT_SORT_KEYS)
    return base64.urlsafe_b64encode(plain).rstrip(b"=").decode("ascii")


def decode_cursor(text: str, shape: type[T]) -> T:
    """The key that `encode_cursor` was given; raises BadCursor for any other text or another shape."""
    try:
        if len(text) > _MAX_CURSOR:
            raise ValueError("too long")
        plain = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        _refuse_huge_integers(orjson.loads(plain))
        key: T = _adapter(cast(Any, shape)).validate_json(plain, strict=True)
        if encode_cursor(key) != text:
            raise ValueError("not in canonical form")
    except (ValueError, binascii.Error, ValidationError):
        complaint = Complaint("query.cursor", "the `next` of a page of the same list")
        raise BadCursor("The cursor can't be read. Start again without one.", complaints=[complaint]) from None
    return key


def page_of(rows: list[T], limit: int, key: Any) -> Page[T]:
    """A page from `limit + 1` rows: the surplus row proves that a next page exists; `key(row)` is its cursor's key."""
    items = rows[:limit]
    following = encode_cursor(key(items[-1])) if len(rows) > limit else None
    return Page[T](items=items, next=following)


@lru_cache(maxsize=128)
def _adapter(shape: Any) -> TypeAdapter[Any]:
    return TypeAdapter(shape)


def _refuse_huge_integers(value: Any) -> None:
    # A database has no integer of that size and would fail rather than refuse.
    if isinstance(value, int) and not -_INT64 <= value < _INT64:
        raise ValueError("integer out of range")
    if isinstance(value, list):
        for one in value:
            _refuse_huge_integers(one)
    if isinstance(value, dict):
        for one in value.values():
            _refuse_huge_integers(one)
