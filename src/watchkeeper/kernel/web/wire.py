"""Base shapes for input: what Watchkeeper does not know, it refuses."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, ConfigDict, model_validator


def _holds_nul(value: Any) -> bool:
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any(_holds_nul(key) or _holds_nul(one) for key, one in value.items())
    return isinstance(value, (list, tuple)) and any(_holds_nul(one) for one in value)


class StrictModel(BaseModel):
    """A frozen JSON body of ours; unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _no_nul(cls, value: Any) -> Any:
        # PostgreSQL can't keep it, and nobody types it.
        if _holds_nul(value):
            raise ValueError("text without NUL characters")
        return value


class PageForm(StrictModel):
    """A form of one of our pages: `form: Annotated[TheForm, Form()]`. Carries the token that `csrf_field()` wrote."""

    csrf_token: str = ""


def api_router(tag: str, *, prefix: str = "/api/v1") -> APIRouter:
    """A router for JSON routes under `/api/v1`."""
    return APIRouter(prefix=prefix, tags=[tag])


def page_router(**options: Any) -> APIRouter:
    """A router for pages; they are no part of the API's contract."""
    return APIRouter(include_in_schema=False, default_response_class=HTMLResponse, **options)
