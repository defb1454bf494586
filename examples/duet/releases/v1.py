"""The good release."""

from __future__ import annotations

import sqlite3

# One statement: who said yes to this member comes first, then whoever shares most answers.
_CHOOSE = """
WITH nearby AS (
  SELECT member.user_id,
         EXISTS (SELECT 1 FROM offers
                 WHERE offers.user_id = member.user_id AND offers.candidate_id = :me AND status = 'accepted') AS likes
  FROM members AS member JOIN members AS me ON me.user_id = :me AND member.region = me.region
  WHERE member.user_id <> :me
    AND NOT EXISTS (SELECT 1 FROM offers WHERE offers.user_id = :me AND offers.candidate_id = member.user_id
                    AND presented_at > :again)
  ORDER BY likes DESC, abs(member.age - me.age), member.user_id LIMIT 40
)
SELECT nearby.user_id,
       (SELECT count(*) FROM answers AS mine JOIN answers AS theirs
          ON theirs.user_id = nearby.user_id AND theirs.question = mine.question AND theirs.choice = mine.choice
        WHERE mine.user_id = :me) AS shared
FROM nearby ORDER BY likes DESC, shared DESC, nearby.user_id LIMIT :count
"""


def choose(cursor: sqlite3.Cursor, user_id: str, count: int, again: float = 0.0) -> list[str]:
    """The members to offer to `user_id`, best first; nobody who was offered since `again`."""
    cursor.execute(_CHOOSE, {"me": user_id, "again": again, "count": count})
    return [row[0] for row in cursor.fetchall()]


def annotate(text: str) -> dict[str, str]:
    """What is kept beside a message's text: its kind."""
    return {"kind": "question" if text.rstrip().endswith("?") else "statement"}
