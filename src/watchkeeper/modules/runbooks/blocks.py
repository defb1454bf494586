"""The text inside a step's block: a request, or the inputs of an action. Values of inputs are data there, never text
that is read again."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from watchkeeper.kernel.ops import Complaints, OpsInvalid
from watchkeeper.kernel.ops.yaml_file import parse
from watchkeeper.modules.runbooks.model import How, Input, Step

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
_NAMED = re.compile(r"\$\{([a-z][a-z0-9_]{0,39})\}")
_HEADER = re.compile(r"([A-Za-z][A-Za-z0-9-]{0,60}):\s*(.{0,1000})")


@dataclass(frozen=True)
class Request:
    """An HTTP request of a step."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: str


def request_of(step: Step, values: Mapping[str, Any]) -> Request:
    """The request with the values of its inputs: encoded in the address, and as JSON strings' contents in the body.

    Raises ValueError with what was expected.
    """
    head, _, body = step.body.partition("\n\n")
    first, *rest = head.strip().splitlines() or [""]
    method, _, url = first.strip().partition(" ")
    if method not in _METHODS:
        raise ValueError(f"a first line such as GET https://host/path, found {first[:60]!r}")
    parts = urlsplit(url.strip())
    if parts.scheme not in ("http", "https") or not parts.netloc or _NAMED.search(parts.netloc):
        raise ValueError("an address with a host that no input chooses")
    headers = {}
    for line in rest:
        found = _HEADER.fullmatch(line.strip())
        if found is None or _NAMED.search(line):
            raise ValueError(f"a header such as Accept: text/plain, without inputs, found {line[:60]!r}")
        headers[found[1]] = found[2]
    address = _NAMED.sub(lambda name: quote(_text(_value(name[1], values)), safe=""), url.strip())
    filled = _NAMED.sub(lambda name: json.dumps(_text(_value(name[1], values)))[1:-1], body.strip())
    return Request(method, address, headers, filled)


def order_of(step: Step, values: Mapping[str, Any]) -> dict[str, Any]:
    """The inputs of an action: plain values, in which a text that is `${name}` and nothing else is that input's value.

    Raises ValueError with what was expected.
    """
    complaints = Complaints()
    documents = parse(step.key, step.body, complaints)
    try:
        complaints.refuse_if_any()
    except OpsInvalid as refusal:
        raise ValueError(refusal.complaints[0].expected.removeprefix("expected ")) from None
    if len(documents) > 1 or (documents and not isinstance(documents[0].value, dict)):
        raise ValueError("fields such as `key: value`")
    return {name: _filled(one, values) for name, one in (documents[0].value if documents else {}).items()}


def body_problems(step: Step, inputs: Iterable[Input]) -> Iterator[str]:
    """What an author should mend before anybody runs it."""
    known = {one.name: _sample(one) for one in inputs}
    if step.how is How.SHELL:
        variables = {one.variable for one in inputs}
        for name in sorted(set(re.findall(r"\bWK_[A-Z0-9_]+", step.body)) - variables):
            yield f"an input for ${name}, found none of that name"
        return
    try:
        if step.how is How.HTTP:
            request_of(step, known)
        elif step.how is How.ACTION:
            order_of(step, known)
    except ValueError as error:
        yield str(error)


def _sample(one: Input) -> Any:
    return one.default if one.default is not None else "1"


def _filled(value: Any, values: Mapping[str, Any]) -> Any:
    if isinstance(value, str):
        found = _NAMED.fullmatch(value)
        return _value(found[1], values) if found else value
    if isinstance(value, dict):
        return {name: _filled(one, values) for name, one in value.items()}
    return [_filled(one, values) for one in value] if isinstance(value, list) else value


def _value(name: str, values: Mapping[str, Any]) -> Any:
    if name not in values:
        raise ValueError(f"an input {name}, found none of that name")
    return values[name]


def _text(value: Any) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def environment_of(inputs: Iterable[Input], values: Mapping[str, Any]) -> dict[str, str]:
    """Inputs as a shell sees them: variables, and nothing else."""
    return {one.variable: _text(values.get(one.name)) for one in inputs}
