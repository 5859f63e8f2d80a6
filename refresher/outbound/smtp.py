"""Sends over SMTP with smtplib: STARTTLS or TLS from the start, AUTH, connections kept for a while.

A connection that rested is asked with NOOP before it is used again; one that failed is thrown away.
"""

from __future__ import annotations

import smtplib
import ssl
import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Literal, cast
from urllib.parse import parse_qs, unquote, urlsplit

from refresher.outbound.mail import Message, as_email
from refresher.rules.connection import Secret
from refresher.rules.mails import (
    NO_STARTTLS,
    Accepted,
    Deferred,
    MailOutcome,
    Rejected,
    SmtpStage,
    Unreachable,
    classify_smtp,
    clean,
)

KEEP_SECONDS = 30.0
"""How long a connection may rest; most servers end one after five minutes, some after one."""
StartTls = Literal["required", "auto", "never"]


@dataclass(frozen=True, slots=True)
class Server:
    """Where to, and how."""

    host: str
    port: int
    is_tls: bool
    starttls: StartTls
    user: str | None
    password: Secret | None


def server_from(url: str) -> Server:
    """Returns the server that a URL names: `smtp://user:password@host:587`, `smtps://host`."""
    parts = urlsplit(url)
    is_tls = parts.scheme == "smtps"
    starttls = parse_qs(parts.query).get("starttls", ["required"])[0]
    return Server(
        host=parts.hostname or "",
        port=parts.port or (465 if is_tls else 587),
        is_tls=is_tls,
        starttls=cast("StartTls", starttls),
        user=unquote(parts.username) if parts.username else None,
        password=Secret(unquote(parts.password)) if parts.password else None,
    )


class _Failed(Exception):
    def __init__(self, outcome: MailOutcome) -> None:
        self.outcome = outcome


class SmtpSender:
    """Sends from several threads, each with a connection of its own while it sends."""

    def __init__(
        self, server: Server, *, timeout_seconds: float, context: ssl.SSLContext | None = None
    ) -> None:
        self._server = server
        self._timeout = timeout_seconds
        self._context = context or ssl.create_default_context()
        self._lock = threading.Lock()
        self._resting: deque[tuple[smtplib.SMTP, float]] = deque()

    def send(self, message: Message) -> MailOutcome:
        """Returns what the server answered to each step, as far as it came."""
        try:
            mail = as_email(message)
        except ValueError as error:
            return Rejected(f"cannot be written: {clean(str(error))}", address=True)
        connection: smtplib.SMTP | None = None
        try:
            connection = self._rested() or self._connect()
            outcome = _transmit(connection, mail, message)
        except _Failed as failed:
            _hang_up(connection)
            return failed.outcome
        except (OSError, smtplib.SMTPException) as error:
            _hang_up(connection)
            return Unreachable(f"{self._server.host}: {clean(str(error)) or type(error).__name__}")
        with self._lock:
            self._resting.append((connection, time.monotonic()))
        return outcome

    def close(self) -> None:
        """Ends the resting connections."""
        with self._lock:
            resting, self._resting = list(self._resting), deque()
        for connection, _ in resting:
            _hang_up(connection)

    def _rested(self) -> smtplib.SMTP | None:
        """Returns a connection that still answers, if one rests."""
        while True:
            with self._lock:
                if not self._resting:
                    return None
                connection, since = self._resting.pop()
            try:
                if time.monotonic() - since < KEEP_SECONDS and connection.noop()[0] == 250:
                    return connection
            except (OSError, smtplib.SMTPException):
                pass
            _hang_up(connection)

    def _connect(self) -> smtplib.SMTP:
        server = self._server
        made: smtplib.SMTP | None = None
        try:
            if server.is_tls:
                made = smtplib.SMTP_SSL(
                    server.host, server.port, timeout=self._timeout, context=self._context
                )
            else:
                made = smtplib.SMTP(server.host, server.port, timeout=self._timeout)
            self._secure_and_log_in(made)
        except smtplib.SMTPResponseException as error:
            _hang_up(made)
            refused = isinstance(error, smtplib.SMTPAuthenticationError)
            stage: SmtpStage = "auth" if refused else "connect"
            raise _Failed(classify_smtp(stage, error.smtp_code, _text(error.smtp_error))) from None
        except BaseException:
            _hang_up(made)
            raise
        return made

    def _secure_and_log_in(self, connection: smtplib.SMTP) -> None:
        server = self._server
        connection.ehlo_or_helo_if_needed()
        if not server.is_tls and server.starttls != "never":
            if connection.has_extn("starttls"):
                connection.starttls(context=self._context)
                connection.ehlo()
            elif server.starttls == "required":
                raise _Failed(Unreachable(f"{NO_STARTTLS}, which is required"))
        if server.user is not None:
            connection.login(server.user, server.password.reveal() if server.password else "")


def _transmit(connection: smtplib.SMTP, mail: EmailMessage, message: Message) -> MailOutcome:
    """Returns the outcome when the connection can go on; raises `_Failed` when it cannot."""
    try:
        connection.send_message(mail, str(message.sender.addr_spec), [message.to])
    except smtplib.SMTPRecipientsRefused as error:
        code, text = error.recipients[message.to]
        return _went_on(connection, classify_smtp("recipient", code, _text(text)))
    except smtplib.SMTPSenderRefused as error:
        raise _Failed(classify_smtp("sender", error.smtp_code, _text(error.smtp_error))) from None
    except smtplib.SMTPDataError as error:
        outcome = classify_smtp("data", error.smtp_code, _text(error.smtp_error))
        return _went_on(connection, outcome)
    except smtplib.SMTPNotSupportedError as error:
        # The address has letters that this server cannot carry (RFC 6531).
        return Rejected(clean(str(error)), address=True)
    return Accepted()


def _went_on(connection: smtplib.SMTP, outcome: MailOutcome) -> MailOutcome:
    if isinstance(outcome, Unreachable):
        raise _Failed(outcome)
    assert isinstance(outcome, Deferred | Rejected)
    connection.rset()
    return outcome


def _hang_up(connection: smtplib.SMTP | None) -> None:
    if connection is None:
        return
    with suppress(OSError):
        connection.close()


def _text(given: bytes | str) -> str:
    return given.decode("utf-8", "replace") if isinstance(given, bytes) else given
