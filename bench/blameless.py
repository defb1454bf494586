"""Words that blame: how many of them the rules find, and how much of what they point at is harmless.

`python -m bench.blameless [--show]`

The known sentences are those that the rules were written against; the held-out ones were written afterwards, and no
rule was changed for them. A finding anywhere in a sentence counts for all of it. Names are given to the check as the
console gives those of its people; a file that is checked on the command line has those of `--name`.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from pathlib import Path

from bench.support import headline
from watchkeeper.modules.postmortems.blameless import check

_FOLDER = Path(__file__).parents[1] / "tests" / "postmortems"
_NAMES = ("Alice Berg", "Bob Lind", "Sam Holt", "Sarah Moe", "John Ek", "Priya Nair", "Tom Vik")


@dataclass(frozen=True)
class Result:
    """Sentences that were pointed at and not, by whether they blame."""

    found: list[str]
    missed: list[str]
    false: list[str]
    calm: list[str]

    @property
    def precision(self) -> float:
        return len(self.found) / max(1, len(self.found) + len(self.false))

    @property
    def recall(self) -> float:
        return len(self.found) / max(1, len(self.found) + len(self.missed))


def main() -> None:
    """Both lists, with and without names."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--show", action="store_true", help="Print what was missed and what was harmless.")
    options = parser.parse_args()
    headline("Words that blame: known and held-out sentences")
    for title, name in (("known", "phrases_known.tsv"), ("held out", "phrases_held_out.tsv")):
        sentences = _read(_FOLDER / name)
        for names, told in ((_NAMES, "with people's names"), ((), "without")):
            result = _measure(sentences, names)
            print(
                f"{title:>9}, {told:<20} {len(result.found) + len(result.missed):>4} blame, "
                f"{len(result.false) + len(result.calm):>4} do not: "
                f"precision {result.precision:.3f}, recall {result.recall:.3f}"
            )
            if options.show and names:
                for mark, texts in (("missed", result.missed), ("harmless", result.false)):
                    for text in texts:
                        print(f"{mark:>20}: {text}")
    _time(_read(_FOLDER / "phrases_known.tsv"))


def _measure(sentences: list[tuple[bool, str]], names: tuple[str, ...]) -> Result:
    result = Result([], [], [], [])
    for blames, text in sentences:
        pointed_at = bool(check(text, names))
        kept = (
            (result.found if pointed_at else result.missed) if blames else (result.false if pointed_at else result.calm)
        )
        kept.append(text)
    return result


def _time(sentences: list[tuple[bool, str]]) -> None:
    text = "\n\n".join(text for _, text in sentences)
    text = (text * (50_000 // len(text) + 1))[:50_000]
    check(text, _NAMES)
    began = time.perf_counter()
    found = check(text, _NAMES)
    print(f"a section of 50,000 characters with {len(found)} findings: {(time.perf_counter() - began) * 1_000:.0f} ms")


def _read(file: Path) -> list[tuple[bool, str]]:
    lines = file.read_text(encoding="utf-8").splitlines()
    return [(label == "blame", text) for label, text in (line.split("\t", 1) for line in lines if line)]


if __name__ == "__main__":
    main()
