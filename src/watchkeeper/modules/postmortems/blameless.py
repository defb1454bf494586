"""Points at words that blame, and says how else it can be said. Pure: text in, findings out.

People hide what they are blamed for, and a cause that is a person is never mended. So what is looked for is a person as
the cause, judgement of a person, and hindsight: what somebody "should have" done. A server may fail to connect.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from watchkeeper.modules.postmortems.blameless_rules import RULES, Rule, person_pattern

LONGEST = 200_000
_CODE = re.compile(r"```.*?(?:```|\Z)|~~~.*?(?:~~~|\Z)|`[^`\n]*`|https?://\S+", re.DOTALL)
# "Nobody is to blame" blames nobody. As far back as the sentence goes, but not farther than a clause is long.
_DENIED = re.compile(
    r"\b(?:not|no|never|nobody|nothing|no one|none|without|nor|neither|avoid\w*|instead of|rather than|free of|beyond|"
    r"blameless|doesn.t|don.t|didn.t|isn.t|wasn.t|aren.t|cannot|can.t)\b[^.!?;\n]{0,40}$",
    re.IGNORECASE,
)
_BEFORE = 60


@dataclass(frozen=True)
class Finding:
    """A phrase at an offset in the text (in characters), why it is pointed at, and what could stand there."""

    offset: int
    phrase: str
    why: str
    alternatives: tuple[str, ...]

    @property
    def end(self) -> int:
        return self.offset + len(self.phrase)


def check(text: str, names: Iterable[str] = ()) -> list[Finding]:
    """Every blaming phrase, in the order of the text, none inside another. Code and addresses are left out.

    `names` are people's, so that "Ada broke it" is known for what it is. Of a text longer than 200,000 characters only
    the beginning is looked at.
    """
    looked_at = _CODE.sub(lambda found: " " * len(found[0]), text[:LONGEST]).replace(
        "\N{RIGHT SINGLE QUOTATION MARK}", "'"
    )
    found = sorted(_raw(looked_at, _known(names)), key=lambda one: (one[0], -one[1]))
    kept: list[Finding] = []
    for start, end, rule in found:
        if kept and start < kept[-1].end:
            continue
        kept.append(Finding(start, text[start:end], rule.why, rule.alternatives))
    return kept


def _blank(found: re.Match[str]) -> str:
    return " " * len(found[0])


def _known(names: Iterable[str]) -> tuple[str, ...]:
    """Full names and the parts of them that are long enough to be no other word."""
    parts = {part for name in names for part in [name.strip(), *name.split()] if len(part) >= 3 and part[0].isupper()}
    return tuple(sorted(parts, key=lambda one: (-len(one), one)))


def _raw(text: str, names: tuple[str, ...]) -> Iterator[tuple[int, int, Rule]]:
    for rule, pattern in _compiled(names):
        for match in pattern.finditer(text):
            if rule.may_be_denied and _DENIED.search(text, max(0, match.start() - _BEFORE), match.start()):
                continue
            yield match.start(), match.end(), rule


@lru_cache(maxsize=32)
def _compiled(names: tuple[str, ...]) -> Sequence[tuple[Rule, re.Pattern[str]]]:
    person = person_pattern(names)
    return [(rule, re.compile(rule.pattern.replace("PERSON", person), re.IGNORECASE)) for rule in RULES]
