"""The files of a new `ops/` directory: how it is used, an example of each kind, and schemas for editors."""

from __future__ import annotations

from collections.abc import Sequence

from watchkeeper.kernel.ops import OpsKind
from watchkeeper.kernel.ops.kind import TextKind
from watchkeeper.kernel.ops.schema import FOLDER, schema_line, schema_texts

_README = """\
# Operations as code

What Watchkeeper is told about this product: looked at, reviewed and undone like all other code.

```
watchkeeper plan {root}       what would change; needs no server
watchkeeper apply {root}      makes it so, all or nothing, after asking
watchkeeper export {root}     writes what was made in the console to these files
```

| files | one document describes |
| --- | --- |
{kinds}

- A file may hold several documents, divided by a line with three dashes.
- The first line of a document names its schema in `{schemas}/`: editors with YAML support then know every field,
  without a network. In a file of several documents each begins with that line. After an upgrade,
  `watchkeeper init {root} --schemas-only` writes the schemas anew.
- What leaves these files leaves Watchkeeper with the next apply. What they never named is left alone.
- Somebody changed it in the console? The plan says so, and so does the page *Operations as code*. Apply sets it back;
  export keeps it.
- Everything in the `example.yaml` files is a comment.
"""


def schema_files(kinds: Sequence[OpsKind]) -> dict[str, str]:
    """Path below `ops/` to text of the schemas."""
    return {f"{FOLDER}/{name}": text for name, text in schema_texts(kinds).items()}


def scaffold(kinds: Sequence[OpsKind], root: str = "ops") -> dict[str, str]:
    """Path below `ops/` to text of everything that a new directory begins with; `root` is how people call it."""
    rows = "\n".join(f"| `{kind.pattern.replace(' ', '` `')}` | {_first_sentence(kind)} |" for kind in kinds)
    files = {"README.md": _README.format(root=root, kinds=rows, schemas=FOLDER)}
    for kind in kinds:
        files |= {file: _example(kind, file, text) for file, text in kind.examples.items()}
    return {**files, **schema_files(kinds)}


def _example(kind: OpsKind, file: str, text: str) -> str:
    return text if isinstance(kind, TextKind) else f"{schema_line(kind, file)}\n{text}"


def _first_sentence(kind: OpsKind) -> str:
    words = " ".join((kind.model.__doc__ or kind.name).split())
    return words.partition(";")[0].partition(". ")[0].rstrip(".")
