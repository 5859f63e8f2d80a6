"""The seam between what is sent and how: every sender takes a `Message` and returns an outcome."""

from __future__ import annotations

from typing import Protocol, assert_never

from refresher.outbound.mail import Message
from refresher.rules.mails import Outcome
from refresher.settings import Settings


class MailSender(Protocol):
    """Sends one mail at a time from each of several threads."""

    def send(self, message: Message) -> Outcome:
        """Returns what the server answered; never raises for what a server or a network does."""
        ...

    def close(self) -> None:
        """Gives connections back."""
        ...


def make_sender(settings: Settings) -> MailSender:
    """Returns the sender that REFRESHER_MAIL_TRANSPORT names; nothing is connected yet."""
    match settings.mail_transport:
        case "console":
            from refresher.outbound.mail_console import ConsoleSender  # noqa: PLC0415  only what is used

            return ConsoleSender()
        case "smtp":
            from refresher.outbound.smtp import SmtpSender, server_from  # noqa: PLC0415

            assert settings.mail_smtp_url is not None, "checked with the settings"
            url = settings.mail_smtp_url.get_secret_value()
            return SmtpSender(server_from(url), timeout_seconds=settings.mail_timeout_seconds)
        case "http":
            from refresher.outbound.mail_api import HttpSender  # noqa: PLC0415

            assert settings.mail_http_url is not None, "checked with the settings"
            assert settings.mail_http_key is not None, "checked with the settings"
            return HttpSender(
                settings.mail_http_url,
                settings.mail_http_key,
                timeout_seconds=settings.mail_timeout_seconds,
            )
        case _:
            assert_never(settings.mail_transport)
