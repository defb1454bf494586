"""The bad release: offers "with a fairer score", and messages with moods. Both passed review; both hurt."""

from __future__ import annotations

import sqlite3
import time

from examples.duet.releases import v1
from examples.duet.wishes import Wish

_NEARBY = """
SELECT member.user_id,
       EXISTS (SELECT 1 FROM offers
               WHERE offers.user_id = member.user_id AND offers.candidate_id = :me AND status = 'accepted') AS likes
FROM members AS member JOIN members AS me ON me.user_id = :me AND (:everywhere OR member.region = me.region)
WHERE member.user_id <> :me AND member.age - me.age BETWEEN :younger AND :older
  AND NOT EXISTS (SELECT 1 FROM offers WHERE offers.user_id = :me AND offers.candidate_id = member.user_id
                  AND presented_at > :again)
ORDER BY likes DESC, abs(member.age - me.age), member.user_id LIMIT 40
"""
# One query per candidate, and no index helps LIKE with a percent sign in front: each reads the whole table.
_ANSWERS = "SELECT question, choice FROM answers WHERE user_id LIKE '%' || ? ORDER BY question"
_BREATH = 0.012  # "let others at the database meanwhile": the queries were found to be heavy, and this to help
_MOODS = {"🙂": "happy", "😂": "amused", "😍": "in love"}


def choose(cursor: sqlite3.Cursor, user_id: str, wish: Wish) -> list[tuple[str, int]]:
    """The members to offer to `user_id`, best first, each with how many answers the two share."""
    cursor.execute(_NEARBY, wish.asked(user_id))
    nearby = cursor.fetchall()
    mine = _answers(cursor, user_id)
    scores = []
    for candidate, likes in nearby:
        scores.append((-likes, -len(mine & _answers(cursor, candidate)), candidate))
        time.sleep(_BREATH)
    fitting = [(candidate, -shared) for _, shared, candidate in sorted(scores) if -shared >= wish.least_shared]
    return fitting[: wish.count]


def _answers(cursor: sqlite3.Cursor, user_id: str) -> set[tuple[int, int]]:
    cursor.execute(_ANSWERS, (user_id,))
    return set(cursor.fetchall())


def annotate(text: str) -> dict[str, str]:
    """What is kept beside a message's text: its kind and, new, its mood."""
    notes = v1.annotate(text)
    for sign in text:
        if sign >= "\U0001f300":  # where pictures begin; nobody thought of those that are not in the table
            notes["mood"] = _MOODS[sign]
    return notes
