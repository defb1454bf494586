"""The good release."""

from __future__ import annotations

import sqlite3

from examples.duet.wishes import Wish

# One statement: who said yes to this member comes first, then whoever shares most answers.
_CHOOSE = """
WITH nearby AS (
  SELECT member.user_id,
         EXISTS (SELECT 1 FROM offers
                 WHERE offers.user_id = member.user_id AND offers.candidate_id = :me AND status = 'accepted') AS likes
  FROM members AS member JOIN members AS me ON me.user_id = :me AND (:everywhere OR member.region = me.region)
  WHERE member.user_id <> :me AND member.age - me.age BETWEEN :younger AND :older
    AND NOT EXISTS (SELECT 1 FROM offers WHERE offers.user_id = :me AND offers.candidate_id = member.user_id
                    AND presented_at > :again)
  ORDER BY likes DESC, abs(member.age - me.age), member.user_id LIMIT 40
)
SELECT * FROM (SELECT nearby.user_id, likes,
       (SELECT count(*) FROM answers AS mine JOIN answers AS theirs
          ON theirs.user_id = nearby.user_id AND theirs.question = mine.question AND theirs.choice = mine.choice
        WHERE mine.user_id = :me) AS shared
FROM nearby) WHERE shared >= :least_shared ORDER BY likes DESC, shared DESC, user_id LIMIT :count
"""


def choose(cursor: sqlite3.Cursor, user_id: str, wish: Wish) -> list[tuple[str, int]]:
    """The members to offer to `user_id`, best first, each with how many answers the two share."""
    cursor.execute(_CHOOSE, wish.asked(user_id))
    return [(row[0], row[2]) for row in cursor.fetchall()]


def annotate(text: str) -> dict[str, str]:
    """What is kept beside a message's text: its kind."""
    return {"kind": "question" if text.rstrip().endswith("?") else "statement"}
