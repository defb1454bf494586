"""Refusals of notifications."""

from __future__ import annotations

from watchkeeper.kernel.errors import Conflict, Invalid, NotFound, TooManyRequests


class ChannelInvalid(Invalid):
    code = "notify.channel_invalid"
    title = "The channel is not valid"


class ChannelNotFound(NotFound):
    code = "notify.channel_not_found"
    title = "There is no such channel"


class ChannelInUse(Conflict):
    code = "notify.channel_in_use"
    title = "People are reached by it"


class ContactInvalid(Invalid):
    code = "notify.contact_invalid"
    title = "The contact is not valid"


class ContactNotFound(NotFound):
    code = "notify.contact_not_found"
    title = "There is no such contact"


class CodeRefused(Invalid):
    code = "notify.code_refused"
    title = "This is not the code that was sent"


class RulesInvalid(Invalid):
    code = "notify.rules_invalid"
    title = "The rules are not valid"


class TooManyCodes(TooManyRequests):
    code = "notify.too_many_codes"
    title = "Too many codes were sent"


class PeopleOnly(Invalid):
    code = "notify.people_only"
    title = "Only people are reached"
