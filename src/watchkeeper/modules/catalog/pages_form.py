"""The form that changes what is said of a service: lists are one entry a line."""

from __future__ import annotations

from typing import Any

from pydantic import Field, ValidationError

from watchkeeper.kernel.web.etag import etag_of
from watchkeeper.kernel.web.wire import PageForm
from watchkeeper.modules.catalog.model import Service
from watchkeeper.modules.catalog.service import version_of
from watchkeeper.modules.catalog.wire import Described


class AboutForm(PageForm):
    """What the browser sends; `version` is what it was filled in from."""

    title: str = Field("", max_length=1_000)
    description: str = Field("", max_length=10_000)
    owner: str = Field("", max_length=1_000)
    tier: str = Field("", max_length=10)
    repository: str = Field("", max_length=2_000)
    links: str = Field("", max_length=50_000)
    dependencies: str = Field("", max_length=50_000)
    environments: str = Field("", max_length=50_000)
    reason: str = Field("", max_length=500)
    version: str = Field("", max_length=100)

    @classmethod
    def of(cls, service: Service) -> AboutForm:
        """Filled in with what is said now."""
        about = service.about
        return cls.model_construct(
            csrf_token="",
            reason="",
            title=about.title or "",
            description=about.description or "",
            owner=about.owner or "",
            tier=str(about.tier or ""),
            repository=about.repository or "",
            links="\n".join(f"{link.title} {link.url}" for link in about.links),
            dependencies="\n".join(about.dependencies),
            environments="\n".join(about.environments),
            version=etag_of(version_of(service)),
        )

    def described(self) -> Described:
        """Raises ValidationError."""
        values: dict[str, Any] = {
            name: getattr(self, name) or None for name in ("title", "description", "owner", "tier", "repository")
        }
        # Browsers end lines with two characters; files and the API with one.
        values["description"] = self.description.replace("\r\n", "\n") or None
        values["tier"] = int(self.tier) if self.tier.isdecimal() else self.tier or None
        # The address is the last word of a line, the title what stands before it.
        links = [(line.rpartition(" ")[0].strip(), line.rpartition(" ")[2]) for line in _lines(self.links)]
        values["links"] = [{"title": title or url[:100], "url": url} for title, url in links]
        values["dependencies"] = _lines(self.dependencies)
        values["environments"] = _lines(self.environments)
        return Described.model_validate(values)


def complaints_of(error: ValidationError) -> dict[str, str]:
    """The first complaint of each field, in words for the form."""
    found: dict[str, str] = {}
    for problem in error.errors():
        field, *rest = problem["loc"]
        line = f"line {int(rest[0]) + 1}: " if rest and isinstance(rest[0], int) else ""
        found.setdefault(str(field), f"{line}{_in_words(str(field), str(problem['msg']))}")
    return found


def _in_words(field: str, message: str) -> str:
    if field == "tier":
        return "a tier from 1 to 4"
    return message.removeprefix("Value error, ")


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]
