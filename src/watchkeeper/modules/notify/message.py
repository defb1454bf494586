"""What is said, and how each channel says it. Pure: texts from outside are cleaned here, once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from html import escape
from typing import Any, Literal

LONGEST_TITLE = 200
LONGEST_TEXT = 2_000
_SMS = 300
# By which Slack says that it was the button of ours.
BUTTON = "watchkeeper_acknowledge"
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]")


@dataclass(frozen=True)
class Action:
    """A link that does something after a confirmation, such as acknowledging."""

    label: str
    url: str
    # For channels that take answers: what a button of Slack's brings back, what a text message does, and where a key
    # that is pressed during a call goes.
    secret: str = ""
    code: str = ""
    phone_url: str = ""


@dataclass(frozen=True)
class Message:
    """`state` is that of what it is about, for channels that keep one of their own (PagerDuty)."""

    title: str
    text: str = ""
    severity: str = ""
    service: str = ""
    url: str = ""
    actions: tuple[Action, ...] = field(default=())
    state: Literal["triggered", "acknowledged", "resolved"] = "triggered"

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> Message:
        """As it was stored."""
        return cls(**{**stored, "actions": tuple(Action(**one) for one in stored.get("actions", ()))})

    def stored(self) -> dict[str, Any]:
        """As JSON values, cleaned."""
        cleaned = Message(
            title=one_line(self.title, LONGEST_TITLE),
            text=clean(self.text, LONGEST_TEXT),
            severity=self.severity,
            service=one_line(self.service, LONGEST_TITLE),
            url=self.url,
            actions=self.actions,
            state=self.state,
        )
        return asdict(cleaned)


def clean(text: str, longest: int) -> str:
    """Without control characters and direction marks, which could make a page read as something else."""
    found = _CONTROL.sub("", text.replace("\r\n", "\n").replace("\r", "\n")).strip()
    return found if len(found) <= longest else f"{found[: longest - 1]}…"


def one_line(text: str, longest: int) -> str:
    """The same on one line."""
    return clean(" ".join(text.split()), longest)


def bundled(messages: list[Message]) -> Message:
    """Several in one, the newest title first."""
    if len(messages) == 1:
        return messages[0]
    lines = [f"- {one.title}{f' ({one.url})' if one.url else ''}" for one in messages]
    return Message(f"{len(messages)} messages: {messages[0].title}", "\n".join(lines), severity=messages[0].severity)


def heading(message: Message) -> str:
    """Severity and title, as a subject line has them."""
    return f"[{message.severity.upper()}] {message.title}" if message.severity else message.title


def plain(message: Message) -> str:
    """For e-mail and whoever reads plain text."""
    lines = [message.title]
    if message.service:
        lines.append(f"Service: {message.service}")
    if message.text:
        lines += ["", message.text]
    if message.url or message.actions:
        lines.append("")
    lines += [f"{one.label}: {one.url}" for one in message.actions]
    if message.url:
        lines.append(f"Details: {message.url}")
    return "\n".join(lines) + "\n"


def short(message: Message, longest: int = _SMS, *, replies: bool = False) -> str:
    """For a text message: the title is cut before a link is."""
    link = message.actions[0].url if message.actions else message.url
    code = message.actions[0].code if message.actions and replies else ""
    end = f"{f' {link}' if link else ''}{f' Reply 1 {code} to take it, 2 {code} to resolve it.' if code else ''}"
    return f"{one_line(heading(message), max(longest - len(end), 40))}{end}"


def spoken(message: Message, *, replies: bool = False) -> str:
    """TwiML that says it twice, for who was asleep the first time."""
    words = escape(one_line(f"Watchkeeper. {message.severity} {message.title}", 400), quote=False)
    twice = f'<Say>{words}</Say><Pause length="1"/><Say>{words}</Say>'
    where = message.actions[0].phone_url if message.actions and replies else ""
    if not where:
        return f"<Response>{twice}</Response>"
    gather = f'<Gather numDigits="1" timeout="15" action="{escape(where)}">'
    return f"<Response>{gather}{twice}<Say>To acknowledge, press 4.</Say></Gather></Response>"


def slack(message: Message, *, pressable: bool = False) -> dict[str, Any]:
    """A message of Slack's, with buttons that are links; `pressable`: the first acts at once where it is pressed."""
    said = _mrkdwn(f"{message.service}\n{message.text}".strip())
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": {"type": "plain_text", "text": heading(message)[:150], "emoji": False}}
    ]
    if said:
        blocks.append({"type": "section", "text": {"type": "mrkdwn", "text": said[:2_900]}})
    links = [*message.actions, *([Action("Details", message.url)] if message.url else [])]
    if links:
        buttons: list[dict[str, Any]] = [
            {"type": "button", "text": {"type": "plain_text", "text": one.label[:75]}, "url": one.url}
            for one in links[:5]
        ]
        first = links[0]
        if pressable and first.secret:
            buttons[0] = {
                "type": "button",
                "text": {"type": "plain_text", "text": first.label[:75]},
                "style": "primary",
                "action_id": BUTTON,
                "value": first.secret,
            }
        blocks.append({"type": "actions", "elements": buttons})
    return {"text": _mrkdwn(heading(message)), "blocks": blocks}


def _mrkdwn(text: str) -> str:
    """Slack reads these three, and nothing else, as its own: `<!channel>` in a title must not call a channel."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
