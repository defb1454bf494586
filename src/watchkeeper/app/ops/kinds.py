"""Every kind of object that files can describe, in the order in which they are applied."""

from __future__ import annotations

from watchkeeper.kernel.ops import OpsKind
from watchkeeper.modules.catalog import wiring as catalog
from watchkeeper.modules.identity import wiring as identity

KINDS: tuple[OpsKind, ...] = (*identity.OPS_KINDS, *catalog.OPS_KINDS)
