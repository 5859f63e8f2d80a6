"""The senders against real servers: TLS, AUTH, kept connections, a mail API; and what they print."""

import json
import socket
import ssl
from collections.abc import Callable
from datetime import UTC, datetime
from email.headerregistry import Address
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from pydantic import SecretStr

from refresher.outbound.mail import Message, as_email, one_line
from refresher.outbound.mail_api import HttpSender
from refresher.outbound.mailer import ConsoleSender
from refresher.outbound.smtp import SmtpSender, server_from
from refresher.rules.mails import Accepted, MailOutcome, Rejected, Unreachable
from tests.notify.mail.kit import Inbox, authenticator, smtp_server
from tests.outbound.certificates import Certificates, make_certificates
from tests.ports import LOOPBACK, free_port


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """A certificate for localhost, and the authority that signed it."""
    return make_certificates(tmp_path_factory.mktemp("certificates"))


def message(**changes: object) -> Message:
    """A mail that is good, except for `changes`."""
    given: dict[str, object] = {
        "id": UUID(int=7),
        "sender": Address("Acme", addr_spec="no-reply@acme.example"),
        "to": "ann@example.com",
        "subject": "Hello",
        "text": "text",
        "html": "<p>html</p>",
        "date": datetime(2030, 1, 1, tzinfo=UTC),
        "headers": (("List-Unsubscribe", "<https://app.example/u>"),),
    }
    return Message(**(given | changes))  # type: ignore[arg-type]


def send(url: str, *, trust: Path | None = None, mail: Message | None = None) -> MailOutcome:
    """Sends one mail to the server of a URL."""
    context = ssl.create_default_context(cafile=str(trust)) if trust else None
    sender = SmtpSender(server_from(url), timeout_seconds=5, context=context)
    try:
        return sender.send(mail or message())
    finally:
        sender.close()


def test_a_mail_has_text_and_html_and_its_headers() -> None:
    """Multipart/alternative, text first; the Message-ID follows from the id and the sender's domain."""
    mail = as_email(message())
    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]
    assert mail["Message-ID"] == f"<{UUID(int=7)}@acme.example>"
    assert mail["List-Unsubscribe"] == "<https://app.example/u>"
    assert mail["Auto-Submitted"] == "auto-generated"


@pytest.mark.parametrize(
    "changes",
    [
        {"to": "ann@example.com\r\nBcc: all@example.com"},
        {"to": "ann@example.com, bob@example.com"},
        {"to": "no address"},
        {"headers": (("List-Unsubscribe", "<x>\r\nBcc: all@example.com"),)},
    ],
)
def test_no_value_can_add_a_header(inbox: Inbox, changes: dict[str, object]) -> None:
    """An address or header that holds another is refused before anything is sent."""
    outcome = send(f"smtp://{LOOPBACK}:{inbox.port}?starttls=never", mail=message(**changes))
    assert isinstance(outcome, Rejected)
    assert inbox.mails == []


def test_a_subject_is_one_line(inbox: Inbox) -> None:
    """A name with a line break in it stays in the subject."""
    assert one_line("a\r\nBcc: x@y.example\x00") == "a Bcc: x@y.example"
    mail = message(subject="a\r\nBcc: x@y.example")
    assert send(f"smtp://{LOOPBACK}:{inbox.port}?starttls=never", mail=mail) == Accepted()
    assert (inbox.subjects, inbox.mails[0]["Bcc"]) == (["a Bcc: x@y.example"], None)


def test_a_connection_is_kept_for_the_next_mail(inbox: Inbox) -> None:
    """Two mails, one connection; one that the server ended meanwhile is replaced."""
    sender = SmtpSender(
        server_from(f"smtp://{LOOPBACK}:{inbox.port}?starttls=never"), timeout_seconds=5
    )
    assert [sender.send(message()) for _ in range(2)] == [Accepted(), Accepted()]
    assert inbox.peers[0] == inbox.peers[1]
    resting = sender._resting[0][0].sock
    assert resting is not None
    resting.shutdown(socket.SHUT_RDWR)
    assert sender.send(message()) == Accepted()
    assert inbox.peers[2] != inbox.peers[1]
    sender.close()


def test_a_password_travels_by_starttls(certificates: Certificates) -> None:
    """AUTH comes after STARTTLS with a certificate that is checked."""
    check = authenticator("us", "p/w")
    options: dict[str, Any] = {
        "tls_context": certificates.server,
        "authenticator": check,
        "auth_required": True,
    }
    with smtp_server(Inbox(), require_starttls=True, **options) as inbox:
        url = f"smtp://us:p%2Fw@localhost:{inbox.port}"
        assert send(url, trust=certificates.authority) == Accepted()
        assert inbox.secured == [True]
        wrong = send(f"smtp://us:wrong@localhost:{inbox.port}", trust=certificates.authority)
        assert isinstance(wrong, Unreachable)
        assert "535" in wrong.reason
        assert isinstance(send(url), Unreachable), "a certificate that nobody vouches for"


def test_tls_from_the_start(certificates: Certificates) -> None:
    """`smtps://` speaks TLS at once."""
    with smtp_server(Inbox(), ssl_context=certificates.server) as inbox:
        url = f"smtps://localhost:{inbox.port}"
        assert send(url, trust=certificates.authority) == Accepted()


def test_a_server_without_starttls_gets_nothing(inbox: Inbox) -> None:
    """TLS is required unless the URL says otherwise; `auto` takes it where it is offered."""
    refused = send(f"smtp://{LOOPBACK}:{inbox.port}")
    assert refused == Unreachable("the server offers no STARTTLS, which is required")
    assert send(f"smtp://{LOOPBACK}:{inbox.port}?starttls=auto") == Accepted()


def test_a_server_that_is_away_is_told_by_name() -> None:
    """Neither an exception nor a password comes out of it."""
    outcome = send(f"smtp://us:s3cr3t@{LOOPBACK}:{free_port()}")
    assert isinstance(outcome, Unreachable)
    assert LOOPBACK in outcome.reason
    assert "s3cr3t" not in outcome.reason


def api(answer: Callable[[httpx.Request], httpx.Response]) -> HttpSender:
    """A sender to a mail API that answers so."""
    transport = httpx.MockTransport(answer)
    key = SecretStr("k3y")
    return HttpSender("https://mail.example/emails", key, timeout_seconds=1, transport=transport)


def test_a_mail_api_gets_one_json_post() -> None:
    """The usual shape: bearer key, from, to, subject, text, html, headers, and an idempotency key."""
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, json={"id": "1"})

    assert api(answer).send(message()) == Accepted()
    (request,) = asked
    assert request.headers["Authorization"] == "Bearer k3y"
    assert request.headers["Idempotency-Key"] == f"{UUID(int=7)}@acme.example"
    assert json.loads(request.content) == {
        "from": "Acme <no-reply@acme.example>",
        "to": ["ann@example.com"],
        "subject": "Hello",
        "text": "text",
        "html": "<p>html</p>",
        "headers": {
            "Message-ID": f"<{UUID(int=7)}@acme.example>",
            "List-Unsubscribe": "<https://app.example/u>",
        },
    }


def test_a_mail_api_that_refuses_is_understood() -> None:
    """A limit is waited for, a key that comes back in an error is not repeated."""
    limited = api(lambda _r: httpx.Response(429, headers={"Retry-After": "7"}, text="slow"))
    assert limited.send(message()) == Unreachable("HTTP 429 slow", 7.0)
    dated = {
        "Retry-After": "Tue, 01 Jan 2030 00:00:30 GMT",
        "Date": "Tue, 01 Jan 2030 00:00:00 GMT",
    }
    late = api(lambda _r: httpx.Response(503, headers=dated)).send(message())
    assert late == Unreachable("HTTP 503", 30.0)
    echo = api(lambda _r: httpx.Response(401, text="bad key k3y")).send(message())
    assert echo == Unreachable("HTTP 401 bad key ***")
    huge = api(lambda _r: httpx.Response(422, text="x" * 10_000_000)).send(message())
    assert isinstance(huge, Rejected)
    moved = api(lambda _r: httpx.Response(302, headers={"Location": "http://evil.example"}))
    assert isinstance(moved.send(message()), Unreachable)

    def fail(_request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectTimeout("no")

    assert api(fail).send(message()) == Unreachable("the mail API does not answer: ConnectTimeout")
    assert isinstance(api(fail).send(message(to="no address")), Rejected)


def test_the_console_shows_the_mail_and_obeys_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """Every line is marked as a mail's, and a terminal's orders are shown as such."""
    sender = ConsoleSender()
    assert sender.send(message(text="see\x1b[2J\n\nlink")) == Accepted()
    sender.close()
    printed = capsys.readouterr().err
    assert all(line.startswith("mail │") for line in printed.splitlines())
    assert "Subject: Hello" in printed
    assert "\x1b" not in printed
