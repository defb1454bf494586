"""What a step writes, as it comes: masked, counted, and no more of it kept than was agreed."""

from __future__ import annotations

import codecs
from collections.abc import Sequence

from watchkeeper.kernel.telemetry.redaction import HIDDEN, redact_text

_LONGEST_LINE = 16_384
_TAIL_SHARE = 4
_WORDS_BETWEEN = 80


class Output:
    """The beginning and the end of all that was written, in a memory that does not grow with it.

    Secrets are hidden in whole lines, so that one which came in two pieces is hidden too. Where something is left out,
    what follows begins with a line of its own.
    """

    def __init__(self, most: int, secrets: Sequence[str] = ()) -> None:
        self.bytes = 0
        self._room = most - most // _TAIL_SHARE - _WORDS_BETWEEN
        self._most_tail = most // _TAIL_SHARE
        self._secrets = sorted(secrets, key=len, reverse=True)
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._line = ""
        self._head: list[str] = []
        self._tail = ""
        self._left_out = 0

    def take(self, chunk: bytes) -> None:
        """The next bytes."""
        self.bytes += len(chunk)
        self._add(self._decoder.decode(chunk))

    def end(self) -> None:
        """Nothing more comes."""
        self._add(self._decoder.decode(b"", final=True))
        if self._line:
            self._fill([self._line])
        self._line = ""

    @property
    def text(self) -> str:
        """What is kept so far; a line that has not ended yet is not in it."""
        head = "".join(self._head)
        if not self._left_out:
            return head + self._masked(self._tail)
        begin = self._tail.find("\n") + 1 or self._tail.find(" ") + 1 or len(self._tail)
        left_out = self._left_out + begin
        return f"{head}\n… {left_out:,} characters are left out …\n{self._masked(self._tail[begin:])}"

    def _add(self, text: str) -> None:
        # PostgreSQL can't keep a NUL.
        text = text.replace("\0", "\ufffd")
        if self._room <= 0:
            self._push(text)
            return
        whole, newline, self._line = (self._line + text).rpartition("\n")
        self._fill((whole + newline).splitlines(keepends=True))
        if self._room <= 0 or len(self._line) > _LONGEST_LINE:
            # A line without end is looked at when all of it is there, or cut where what is left out ends.
            self._room = 0
            self._push(self._line)
            self._line = ""

    def _fill(self, lines: Sequence[str]) -> None:
        for number, line in enumerate(lines):
            masked = self._masked(line)
            if len(masked) > self._room:
                self._room = 0
                self._push("".join(lines[number:]))
                return
            self._head.append(masked)
            self._room -= len(masked)

    def _push(self, text: str) -> None:
        joined = self._tail + text
        cut = max(0, len(joined) - self._most_tail)
        self._left_out += cut
        self._tail = joined[cut:]

    def _masked(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, HIDDEN)
        return redact_text(text)
