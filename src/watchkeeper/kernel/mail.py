"""E-mail by SMTP."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from watchkeeper.kernel.deadline import Deadline, words_of
from watchkeeper.kernel.errors import Refusal
from watchkeeper.kernel.settings import SettingsGroup

if TYPE_CHECKING:
    from email.message import EmailMessage

    from watchkeeper.kernel.mail_wire import BoundedSmtp

_SECONDS = 15.0
# SMTP's codes from here on say that trying again is of no use.
_FOR_GOOD = 500


class MailSettings(SettingsGroup):
    """The SMTP server that Watchkeeper's e-mails go through."""

    section: ClassVar[str] = "mail"

    host: str | None = Field(None, description="Name of the SMTP server. Unset: no e-mail is sent.")
    port: int = Field(
        587,
        ge=1,
        le=65535,
        description="Its port: 587 for `starttls`, 465 for `tls`, often 25 on this machine.",
    )
    security: Literal["starttls", "tls", "none"] = Field(
        "starttls",
        description="`starttls`, `tls` from the first byte (port 465), or `none` (on this machine).",
    )
    user: str | None = Field(None, description="User name, where the server asks for one.")
    password_file: Path | None = Field(None, description="File that holds the password.")
    sender: str = Field("watchkeeper@localhost", description="The From address.")


class MailRefused(Refusal):
    """The settings of e-mail are not usable."""

    code = "kernel.mail_refused"
    status = 422
    title = "No e-mail can be sent"


class MailFailed(Exception):
    """The SMTP server did not take it. The text holds no address and no secret. `final`: it never will be."""

    def __init__(self, text: str, *, final: bool = False) -> None:
        super().__init__(text)
        self.final = final


@dataclass(frozen=True)
class Attachment:
    """A file that goes with a message; `media_type` such as `application/pdf`."""

    name: str
    content: bytes
    media_type: str


@dataclass(frozen=True)
class Mail:
    """One message of plain text, and the same as `html` where that shows more; `key` stays the same when it is sent
    again. `headers`: more of them, such as how to unsubscribe."""

    to: str
    subject: str
    text: str
    key: str | None = field(default=None)
    html: str | None = field(default=None)
    attachments: tuple[Attachment, ...] = field(default=())
    headers: tuple[tuple[str, str], ...] = field(default=())


@dataclass(frozen=True)
class Mailer:
    """Sends e-mail through one server. `seconds`: how long one takes in all."""

    settings: MailSettings
    seconds: float = _SECONDS

    @property
    def is_set_up(self) -> bool:
        return self.settings.host is not None

    def send(self, mail: Mail) -> None:
        """Hand it to the server; blocks up to 15 s in all. Raises MailRefused without settings, else MailFailed."""
        import smtplib  # here and below: a server that sends nothing starts without it

        if self.settings.host is None:
            raise MailRefused("WATCHKEEPER_MAIL_HOST names no SMTP server.")
        deadline = Deadline(self.seconds)
        try:
            message = self._message(mail)
            server = self._connect(self.settings.host, deadline)
            try:
                server.send_message(message)
            finally:
                server.leave()
        except (smtplib.SMTPResponseException, smtplib.SMTPRecipientsRefused) as error:
            code = _code(error)
            for_good = code >= _FOR_GOOD
            meaning = "for good" if for_good else "for now"
            # A refused greeting or sign-in says nothing of the message: it passes once the settings are mended.
            final = for_good and isinstance(error, (smtplib.SMTPRecipientsRefused, smtplib.SMTPDataError))
            raise MailFailed(f"the SMTP server refused it {meaning}: it answered {code}", final=final) from None
        except smtplib.SMTPServerDisconnected as error:
            said = words_of(error, deadline)
            raise MailFailed(f"the SMTP server {'hung up' if said.startswith('could not') else said}") from None
        except (smtplib.SMTPException, OSError, ValueError) as error:
            raise MailFailed(f"the SMTP server {words_of(error, deadline)}") from None

    def _message(self, mail: Mail) -> EmailMessage:
        from email.message import EmailMessage
        from email.utils import make_msgid

        from watchkeeper.kernel.mail_wire import WholeLinks

        message = EmailMessage(policy=WholeLinks())
        # EmailMessage refuses line ends in headers, so that no text can add a header.
        message["From"], message["To"], message["Subject"] = self.settings.sender, mail.to, mail.subject
        message["Message-ID"] = f"<{mail.key}@watchkeeper>" if mail.key else make_msgid(domain="watchkeeper")
        message["Auto-Submitted"] = "auto-generated"
        for name, value in mail.headers:
            message[name] = value
        message.set_content(mail.text)
        if mail.html is not None:
            message.add_alternative(mail.html, subtype="html")
        for one in mail.attachments:
            maintype, _, subtype = one.media_type.partition("/")
            message.add_attachment(one.content, maintype=maintype, subtype=subtype, filename=one.name)
        return message

    def _connect(self, host: str, deadline: Deadline) -> BoundedSmtp:
        import ssl

        from watchkeeper.kernel.mail_wire import BoundedSmtp

        held = self.settings
        context = ssl.create_default_context() if held.security != "none" else None
        server = BoundedSmtp(host, held.port, deadline, from_first_byte=context if held.security == "tls" else None)
        try:
            if held.security == "starttls":
                server.starttls(context=context)
            if held.user is not None and held.password_file is not None:
                server.login(held.user, held.password_file.read_text(encoding="utf-8").strip())
        except BaseException:
            server.close()
            raise
        return server


def _code(error: Any) -> int:
    """What it answered; of several recipients there is only one of ours."""
    refused = getattr(error, "recipients", None)
    return int(next(iter(refused.values()))[0]) if refused else int(error.smtp_code)
