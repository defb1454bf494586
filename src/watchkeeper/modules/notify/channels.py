"""What each kind of channel needs: its settings, its secrets, and the shape of a person's address on it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from watchkeeper.kernel.errors import Complaint
from watchkeeper.modules.notify.model import ChannelKind

_PHONE = r"\+[1-9][0-9]{6,14}"
_URL = r"https?://[^\s]{3,1900}"


@dataclass(frozen=True)
class Input:
    """One value: what it is, how it looks, and what is taken where nothing is said."""

    label: str
    shape: str
    expected: str
    default: str | None = None
    is_url: bool = False


@dataclass(frozen=True)
class Spec:
    """A kind of channel. `address` None: it goes to one place, and a contact has no address of its own."""

    title: str
    settings: Mapping[str, Input]
    secrets: Mapping[str, Input]
    address: Input | None


def _url(label: str, default: str | None = None) -> Input:
    return Input(label, _URL, "a URL that begins with https://", default, is_url=True)


_TWILIO = {
    "account": Input("Account SID", r"[A-Za-z0-9]{6,64}", "an account SID such as AC0123…"),
    "sender": Input("From", rf"{_PHONE}|[A-Za-z0-9 ]{{1,11}}", "a number such as +4722334455, or a sender's name"),
    "url": _url("API", "https://api.twilio.com"),
    "replies": Input("Takes replies", "yes|no", "yes where Twilio brings replies to this server, else no", "no"),
}
_TWILIO_SECRETS = {"token": Input("Auth token", r"\S{8,200}", "an auth token")}
_NUMBER = Input("Phone number", _PHONE, "a number with its country, such as +4791234567")

SPECS: Mapping[ChannelKind, Spec] = MappingProxyType(
    {
        ChannelKind.EMAIL: Spec(
            "E-mail",
            {},
            {},
            Input("E-mail address", r"[^\s@<>\"]{1,64}@[^\s@<>\"]{1,180}\.[^\s@<>\"]{1,60}", "an e-mail address"),
        ),
        ChannelKind.SLACK: Spec(
            "Slack, by a bot",
            {"url": _url("API", "https://slack.com/api")},
            {
                "token": Input("Bot token", r"xox[a-z]-\S{8,200}", "a bot token such as xoxb-…"),
                "signing_secret": Input(
                    "Signing secret", r"[A-Za-z0-9]{16,100}", "the app's signing secret, for buttons", default=""
                ),
            },
            Input("Member or channel ID", r"[A-Z0-9]{6,20}", "an ID such as U024BE7LH"),
        ),
        ChannelKind.SLACK_WEBHOOK: Spec("Slack, by an incoming webhook", {}, {"url": _url("Webhook URL")}, None),
        ChannelKind.WEBHOOK: Spec(
            "Webhook",
            {"url": _url("URL")},
            {"secret": Input("Signing secret", r"\S{16,200}", "at least 16 characters")},
            None,
        ),
        ChannelKind.NTFY: Spec(
            "ntfy",
            {"url": _url("Server", "https://ntfy.sh")},
            {"token": Input("Access token", r"\S{4,200}", "an access token", default="")},
            Input("Topic", r"[A-Za-z0-9_-]{4,64}", "a topic such as wk-8fk3…, which is as secret as a password"),
        ),
        ChannelKind.TELEGRAM: Spec(
            "Telegram",
            {"url": _url("API", "https://api.telegram.org")},
            {"token": Input("Bot token", r"[0-9]{4,20}:[A-Za-z0-9_-]{20,100}", "a bot token such as 1234:AA…")},
            Input("Chat ID", r"-?[0-9]{4,20}", "a chat's number"),
        ),
        ChannelKind.SMS: Spec("Text message, by Twilio", _TWILIO, _TWILIO_SECRETS, _NUMBER),
        ChannelKind.VOICE: Spec("Phone call, by Twilio", _TWILIO, _TWILIO_SECRETS, _NUMBER),
        ChannelKind.PAGERDUTY: Spec(
            "PagerDuty",
            {"url": _url("API", "https://events.pagerduty.com")},
            {"key": Input("Routing key", r"[A-Za-z0-9]{32}", "a routing key of 32 characters")},
            None,
        ),
        ChannelKind.APPRISE: Spec(
            "Any service of Apprise",
            {},
            {"url": Input("Apprise URL", r"[a-z0-9.+-]{2,30}://\S{1,1900}", "a URL of Apprise such as gotify://…")},
            None,
        ),
    }
)


def checked(
    inputs: Mapping[str, Input], said: Mapping[str, str], where: str, *, kept: Mapping[str, str] | None = None
) -> tuple[dict[str, str], list[Complaint]]:
    """What is meant, with defaults, and what is wrong. `kept`: what stays where nothing is said."""
    found: dict[str, str] = {}
    complaints = [
        Complaint(f"{where}.{name}", f"one of {', '.join(inputs) or 'nothing'}")
        for name in sorted(said.keys() - inputs)
    ]
    for name, one in inputs.items():
        value = said.get(name, "").strip() or (kept or {}).get(name, "") or (one.default if one.default else "")
        if (not value and one.default is None) or (value and not re.fullmatch(one.shape, value)):
            complaints.append(Complaint(f"{where}.{name}", one.expected))
        elif value:
            found[name] = value
    return found, complaints
