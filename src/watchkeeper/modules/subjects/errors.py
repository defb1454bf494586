"""How subjects and segments say no."""

from __future__ import annotations

from watchkeeper.kernel.errors import Complaint, Conflict, Invalid, NotFound, PreconditionFailed


class SubjectNotFound(NotFound):
    code = "subjects.subject_not_found"
    title = "No such subject"


class SubjectsInvalid(Invalid):
    code = "subjects.subjects_invalid"
    title = "The subjects are not valid"


class SegmentNotFound(NotFound):
    code = "subjects.segment_not_found"
    title = "No such segment"


class SegmentExists(Conflict):
    code = "subjects.segment_exists"
    title = "The segment is there already"


class SegmentIsManaged(Conflict):
    code = "subjects.segment_is_managed"
    title = "The segment is described in ops/"


class SegmentInUse(Conflict):
    code = "subjects.segment_in_use"
    title = "Something uses the segment"


class SegmentChanged(PreconditionFailed):
    code = "subjects.segment_changed"
    title = "Changed since you read it"


class SegmentInvalid(Invalid):
    code = "subjects.segment_invalid"
    title = "The segment is not valid"


class SegmentMatchesNobody(Invalid):
    code = "subjects.segment_matches_nobody"
    title = "Nobody would be in the segment"


class NotByHand(Conflict):
    code = "subjects.not_by_hand"
    title = "Members of this segment are not listed by hand"


class ExpressionInvalid(Invalid):
    """An expression can't be read, or says what segments can't; `line` and `column` start at 1."""

    code = "subjects.expression_invalid"
    title = "The expression is not valid"

    def __init__(self, line: int, column: int, expected: str) -> None:
        where = f"expression {line}:{column}"
        super().__init__(
            f"Line {line}, column {column} of the expression: expected {expected}.",
            complaints=[Complaint(where, expected)],
        )
        self.line, self.column, self.expected = line, column, expected
