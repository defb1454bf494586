"""Every kind of object that files can describe, in the order in which they are applied."""

from __future__ import annotations

from watchkeeper.kernel.ops import OpsKind
from watchkeeper.modules.catalog import wiring as catalog

KINDS: tuple[OpsKind, ...] = (*catalog.OPS_KINDS,)
