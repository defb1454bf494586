"""What parameters and flags mean: pure functions over snapshots, shared by the server and every client.

Nothing here reads a clock, a file (but a secret's, when asked to) or the network.
"""

from watchkeeper_client.rules.bucketing import bucket
from watchkeeper_client.rules.checking import ConditionInvalid, check_condition
from watchkeeper_client.rules.conditions import OPERATORS, compile_condition
from watchkeeper_client.rules.definition import (
    KEY,
    VARIANT,
    Definition,
    check_value,
    complaints_about,
    wrong_in_key,
)
from watchkeeper_client.rules.document import (
    FORMAT,
    DocumentInvalid,
    apply_delta,
    at,
    delta_between,
    parse_snapshot,
    with_operations,
)
from watchkeeper_client.rules.explain import Layer, explain
from watchkeeper_client.rules.outcomes import NO_ATTRIBUTES, Choice, Outcome, Program
from watchkeeper_client.rules.program import compile_snapshot
from watchkeeper_client.rules.values import (
    TYPES,
    NotThatType,
    duration_of,
    duration_text,
    instant_of,
    normal,
    parse_text,
    text_of,
    time_of,
    to_python,
)

__all__ = [
    "FORMAT",
    "KEY",
    "NO_ATTRIBUTES",
    "OPERATORS",
    "TYPES",
    "VARIANT",
    "Choice",
    "ConditionInvalid",
    "Definition",
    "DocumentInvalid",
    "Layer",
    "NotThatType",
    "Outcome",
    "Program",
    "apply_delta",
    "at",
    "bucket",
    "check_condition",
    "check_value",
    "compile_condition",
    "compile_snapshot",
    "complaints_about",
    "delta_between",
    "duration_of",
    "duration_text",
    "explain",
    "instant_of",
    "normal",
    "parse_snapshot",
    "parse_text",
    "text_of",
    "time_of",
    "to_python",
    "with_operations",
    "wrong_in_key",
]
