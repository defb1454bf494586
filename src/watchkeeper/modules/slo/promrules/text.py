"""Rules as the file that Prometheus loads, with what they can't say in comments at its head."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from textwrap import wrap

from watchkeeper.kernel.ops import write_documents
from watchkeeper.modules.slo.definition import Definition
from watchkeeper.modules.slo.promrules.events import Setting
from watchkeeper.modules.slo.promrules.rules import rules_for

_HEAD = (
    "Rules for Prometheus 2.42 or newer, made by `watchkeeper slo rules`: make them anew rather than change them.",
    "A burn rate is bad events / all events / (1 - target), times the measured share of its window: what was not "
    "measured spends nothing, so that nothing fires too early before these rules have run for as long as the window.",
    "Not said by these rules: exclusions and maintenance (silence the alerts instead), budgets that were given back, "
    "data that comes late, and that Prometheus itself does not answer.",
)


def rules_text(definitions: Iterable[Definition], setting: Setting) -> tuple[str, Sequence[str]]:
    """The file's text, and notes on what it leaves out or rests on, which its head has too."""
    found = rules_for(definitions, setting)
    lines = [line for said in (*_HEAD, *found.notes) for line in wrap(_one_line(said), 118)]
    head = "\n".join(f"# {line}" for line in lines)
    return write_documents([{"groups": list(found.groups)}], head), found.notes


def _one_line(text: str) -> str:
    return " ".join(text.split())
