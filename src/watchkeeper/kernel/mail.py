"""E-mail by SMTP."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from watchkeeper.kernel.errors import Refusal
from watchkeeper.kernel.settings import SettingsGroup

if TYPE_CHECKING:
    import smtplib
    from email.message import EmailMessage

_SECONDS = 15.0


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
    """The SMTP server did not take it. The text holds no address and no secret."""


@dataclass(frozen=True)
class Attachment:
    """A file that goes with a message; `media_type` such as `application/pdf`."""

    name: str
    content: bytes
    media_type: str


@dataclass(frozen=True)
class Mail:
    """One message of plain text, and the same as `html` where that shows more; `key` stays the same when it is sent
    again."""

    to: str
    subject: str
    text: str
    key: str | None = field(default=None)
    html: str | None = field(default=None)
    attachments: tuple[Attachment, ...] = field(default=())


@dataclass(frozen=True)
class Mailer:
    """Sends e-mail through one server."""

    settings: MailSettings

    @property
    def is_set_up(self) -> bool:
        return self.settings.host is not None

    def send(self, mail: Mail) -> None:
        """Hand it to the server; blocks up to 15 s a step. Raises MailRefused without settings, else MailFailed."""
        import smtplib  # here and below: a server that sends nothing starts without it

        if self.settings.host is None:
            raise MailRefused("WATCHKEEPER_MAIL_HOST names no SMTP server.")
        try:
            message = self._message(mail)
            with self._connect(self.settings.host) as server:
                server.send_message(message)
        except smtplib.SMTPResponseException as error:
            raise MailFailed(f"the SMTP server answered {error.smtp_code}") from None
        except (smtplib.SMTPException, OSError, ValueError) as error:
            raise MailFailed(f"the SMTP server could not be used: {type(error).__name__}") from None

    def _message(self, mail: Mail) -> EmailMessage:
        from email.message import EmailMessage
        from email.utils import make_msgid

        message = EmailMessage()
        # EmailMessage refuses line ends in headers, so that no text can add a header.
        message["From"], message["To"], message["Subject"] = self.settings.sender, mail.to, mail.subject
        message["Message-ID"] = f"<{mail.key}@watchkeeper>" if mail.key else make_msgid(domain="watchkeeper")
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(mail.text)
        if mail.html is not None:
            message.add_alternative(mail.html, subtype="html")
        for one in mail.attachments:
            maintype, _, subtype = one.media_type.partition("/")
            message.add_attachment(one.content, maintype=maintype, subtype=subtype, filename=one.name)
        return message

    def _connect(self, host: str) -> smtplib.SMTP:
        import smtplib
        import ssl

        held = self.settings
        if held.security == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                host, held.port, timeout=_SECONDS, context=ssl.create_default_context()
            )
        else:
            server = smtplib.SMTP(host, held.port, timeout=_SECONDS)
            if held.security == "starttls":
                server.starttls(context=ssl.create_default_context())
        if held.user is not None and held.password_file is not None:
            server.login(held.user, held.password_file.read_text(encoding="utf-8").strip())
        return server
