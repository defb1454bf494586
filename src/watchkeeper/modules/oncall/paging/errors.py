"""Refusals of paging."""

from __future__ import annotations

from watchkeeper.kernel.errors import Forbidden, Invalid, NotFound


class LinkUnknown(NotFound):
    code = "oncall.link_unknown"
    title = "This link opens nothing"


class PagingInvalid(Invalid):
    code = "oncall.paging_invalid"
    title = "Nobody can be called like this"


class ReplayInvalid(Invalid):
    code = "oncall.replay_invalid"
    title = "This can't be replayed"


class SignatureRefused(Forbidden):
    code = "oncall.signature_refused"
    title = "The signature does not fit"
