"""Settings of mail: what is missing or wrong has its sentence; and how the flow's broker is chosen."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from refresher.errors import SettingsError
from refresher.rules.addresses import address_fault, sender_address
from refresher.settings import flows_on, load
from tests.processes import OURS

SMTP = {"mail_transport": "smtp", "mail_from": "a@b.example", "mail_smtp_url": "smtp://h"}


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"mail_transport": "smtp"}, "REFRESHER_MAIL_SMTP_URL is not set"),
        ({"mail_transport": "smtp"}, "REFRESHER_MAIL_FROM is not set"),
        ({**SMTP, "mail_smtp_url": "http://h"}, "must begin with smtp:// (STARTTLS) or smtps://"),
        ({**SMTP, "mail_smtp_url": "smtp://h:x"}, "its host or port cannot be read"),
        ({**SMTP, "mail_smtp_url": "smtp://h?tls=1"}, "knows one option, starttls="),
        ({**SMTP, "mail_smtp_url": "smtp://u:s3cr3t@h?starttls=auto"}, "must not travel in the clear"),
        ({**SMTP, "mail_from": "nobody"}, "must be an address, or: Name <address>"),
        ({**SMTP, "mail_from": "A <a@b>"}, "REFRESHER_MAIL_FROM is no mail address"),
        ({**SMTP, "mail_from": "a@b.example\r\nBcc: x@y.example"}, "holds a control character"),
        ({"mail_transport": "http"}, "REFRESHER_MAIL_HTTP_URL is not set"),
        ({"mail_transport": "http"}, "REFRESHER_MAIL_HTTP_KEY is not set"),
        ({"mail_http_url": "http://api.example", "mail_transport": "http"}, "must begin with https://"),
        ({"mail_templates": "no/such/folder"}, "is no folder"),
        ({"reconnect_url": "https://a.example/{id}"}, "REFRESHER_RECONNECT_URL has {id}"),
        ({"mail_unsubscribe_url": "ftp://a.example"}, "REFRESHER_MAIL_UNSUBSCRIBE_URL must begin"),
        ({"mail_lease_seconds": 30}, "REFRESHER_MAIL_LEASE_SECONDS (30) must cover 6 ×"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_a_sentence(given: dict[str, object], sentence: str) -> None:
    """It names the variable, and repeats no password."""
    with pytest.raises(SettingsError) as caught:
        load(**given)
    assert sentence in str(caught.value)
    assert "s3cr3t" not in str(caught.value)


def test_what_is_right_is_taken(tmp_path: Path) -> None:
    """A relay without password near by, a named sender, a page of one's own."""
    load(**SMTP, mail_templates=tmp_path)
    load(**{**SMTP, "mail_smtp_url": "smtp://u:p@localhost:25?starttls=never"})
    key = {"mail_http_url": "https://api.example/emails", "mail_http_key": "k"}
    load(mail_transport="http", mail_from="A <a@b.example>", **key)
    assert sender_address("Ann, Acme <a@b.example>".replace(",", "")).display_name == "Ann Acme"
    assert address_fault("ann@acme.example") is None


def test_redis_is_asked_for_by_the_flows_that_need_it() -> None:
    """The sentence names every flow whose transport is redis."""
    with pytest.raises(SettingsError, match="REFRESHER_INTEGRATION_REFRESH__TRANSPORT"):
        _ = load(integration_refresh={"transport": "redis"}).redis
    both = load(
        integration_refresh={"transport": "redis"}, notification_email={"transport": "redis"}
    )
    assert flows_on("redis", both) == ["integration_refresh", "notification_email"]
    with pytest.raises(SettingsError, match="and REFRESHER_NOTIFICATION_EMAIL__TRANSPORT"):
        _ = both.redis


@pytest.mark.slow
@pytest.mark.parametrize(
    ("refreshes", "mails", "expected"),
    [
        ("in_process", "in_process", ["InMemoryBroker", "InMemoryBroker", False, "InMemoryBroker"]),
        ("redis", "in_process", ["PipeliningBroker", "InMemoryBroker", False, "PipeliningBroker"]),
        ("in_process", "redis", ["InMemoryBroker", "PipeliningBroker", False, "PipeliningBroker"]),
        ("redis", "redis", ["PipeliningBroker", "PipeliningBroker", True, "PipeliningBroker"]),
    ],
)
def test_each_flow_has_the_broker_of_its_transport(
    refreshes: str, mails: str, expected: list[object]
) -> None:
    """Actors are bound to their flow's broker; `dramatiq refresher.actors` works on the Redis one."""
    code = (
        "import json, dramatiq; from refresher import actors\n"
        "from refresher.runtime import broker\n"
        "assert actors.refresh_connections.broker is broker.broker\n"
        "assert actors.flush_digest.broker is actors.send_notification.broker is broker.mail_broker\n"
        "kinds = [type(b).__name__ for b in (broker.broker, broker.mail_broker)]\n"
        "same = broker.broker is broker.mail_broker\n"
        "print(json.dumps([*kinds, same, type(dramatiq.get_broker()).__name__]))"
    )
    env = {k: v for k, v in os.environ.items() if not k.startswith(OURS)} | {
        "REFRESHER_INTEGRATION_REFRESH__TRANSPORT": refreshes,
        "REFRESHER_NOTIFICATION_EMAIL__TRANSPORT": mails,
        "REDIS_URL": "redis://127.0.0.1:1/0",
    }
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, check=True)
    assert json.loads(done.stdout) == expected
