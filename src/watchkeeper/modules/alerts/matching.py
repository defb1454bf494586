"""Matchers of labels, as Alertmanager writes them, with patterns that can't run away."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, cast

import re2

from watchkeeper.kernel.errors import Complaint
from watchkeeper.modules.alerts.errors import SilenceInvalid

Operator = Literal["=", "!=", "=~", "!~"]
MOST_MATCHERS = 20
LONGEST_PATTERN = 500
_PATTERN_MEMORY = 1 << 20
_TEXT = re.compile(r"^\s*([A-Za-z_][\w.:-]*)\s*(=~|!~|!=|=)\s*(.*?)\s*$", re.DOTALL)


@dataclass(frozen=True)
class Matcher:
    """One condition on one label; a label that is missing is the empty text. Patterns match the whole value."""

    label: str
    operator: Operator
    value: str

    def __str__(self) -> str:
        return f'{self.label}{self.operator}"{self.value}"'

    def fits(self, labels: Mapping[str, str]) -> bool:
        """Whether these labels fulfil it."""
        value = labels.get(self.label, "")
        if self.operator in ("=", "!="):
            return (value == self.value) is (self.operator == "=")
        return bool(_compiled(self.value).fullmatch(value)) is (self.operator == "=~")

    def complaints(self, where: str) -> Iterable[Complaint]:
        """What is wrong with it."""
        if not 1 <= len(self.label) <= 200:
            yield Complaint(f"{where}.label", "the name of a label")
        if len(self.value) > (LONGEST_PATTERN if "~" in self.operator else 4_000):
            yield Complaint(f"{where}.value", f"at most {LONGEST_PATTERN} characters of a pattern")
        elif "~" in self.operator:
            try:
                _compiled(self.value)
            except re2.error as error:
                yield Complaint(f"{where}.value", f"a pattern of RE2's syntax ({_words(error)})")


def parse_matcher(text: str) -> Matcher:
    """`service=~"gateway|chat"`, with quotes or without. Raises SilenceInvalid."""
    found = _TEXT.match(text)
    if found is None:
        complaint = Complaint("matchers", 'such as service=gateway, severity!="info" or alertname=~"Disk.*"')
        raise SilenceInvalid(f"{text[:80]!r} is no matcher.", complaints=[complaint])
    label, operator, value = found.groups()
    if len(value) > 1 and value[0] == value[-1] == '"':
        value = value[1:-1].replace('\\"', '"')
    return Matcher(label, cast("Operator", operator), value)


def require_sound(matchers: Iterable[Matcher]) -> None:
    """Raises SilenceInvalid for patterns that are none, and for matchers that would match everything."""
    all_of_them = tuple(matchers)
    complaints = [
        complaint for number, one in enumerate(all_of_them) for complaint in one.complaints(f"matchers.{number}")
    ]
    if not 1 <= len(all_of_them) <= MOST_MATCHERS:
        complaints.append(Complaint("matchers", f"1 to {MOST_MATCHERS} matchers"))
    elif not complaints and all(one.fits({}) for one in all_of_them):
        complaints.append(Complaint("matchers", "at least one matcher that an alert without the label does not fulfil"))
    if complaints:
        raise SilenceInvalid("The matchers are not valid.", complaints=complaints)


@lru_cache(maxsize=512)
def _compiled(pattern: str) -> re2._Regexp:
    options = re2.Options()
    options.max_mem = _PATTERN_MEMORY
    options.log_errors = False
    return re2.compile(pattern, options)


def _words(error: re2.error) -> str:
    said = error.args[0] if error.args else "it can't be read"
    return said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
