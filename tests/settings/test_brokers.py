"""The transports and their servers: which URL is one, which two do not go together, what is missing."""

import sys

import pytest

from refresher.errors import SettingsError
from refresher.runtime.broker import make_broker
from refresher.settings import IntegrationRefresh, NotificationEmail, load

BEGINS = "must begin with amqp:// or amqps:// (with TLS) and name a server"
ENCODED = "is no URL that can be read: percent-encode"
OPTION = "has an option that pika does not take: take it out, or put its value right"


@pytest.mark.parametrize(
    "url",
    [
        "amqp://localhost",
        "amqp://u:p%40s@h:5672",
        "amqps://u:p@h:5671/",
        "amqp://u:p@h/%2Fmine",
        "amqp://u:p@[::1]:5672/mine?heartbeat=30&blocked_connection_timeout=2",
    ],
)
def test_a_url_of_rabbitmq_is_taken(url: str) -> None:
    """As pika reads them, with its options."""
    assert load(rabbitmq_url=url).rabbitmq == url


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("s3cr3t", BEGINS),
        ("redis://u:s3cr3t@h", BEGINS),
        ("amqp:///s3cr3t", BEGINS),
        ("amqp://u:s3cr3t@h:x/", "is no URL: its host or port cannot be read"),
        ("amqp://u:s3cr3t@h/a/b", ENCODED),
        ("amqp://u:s3/cr3t@h/", "is no URL: its host or port cannot be read"),
        ("amqp://u/s3cr3t@h/", ENCODED),
        ("amqp://u@h/", "has a user without a password"),
        ("amqp://u:s3cr3t@h/?colour=s3cr3t", OPTION),
        ("amqp://u:s3cr3t@h/?heartbeat=s3cr3t", OPTION),
        ("amqps://u:s3cr3t@h/?ssl_options=s3cr3t", OPTION),
    ],
)
def test_what_is_no_url_of_rabbitmq_is_refused(url: str, fault: str) -> None:
    """In a sentence that repeats nothing of it."""
    with pytest.raises(SettingsError) as caught:
        load(rabbitmq_url=url)
    assert str(caught.value).startswith(f"RABBITMQ_URL {fault}")
    assert "s3cr3t" not in str(caught.value)


def test_a_worker_works_for_one_server() -> None:
    """Flows on Redis and flows on RabbitMQ would need two kinds of worker."""
    urls = {"redis_url": "redis://h", "rabbitmq_url": "amqp://h"}
    mails = {"notification_email": NotificationEmail(transport="rabbitmq")}
    with pytest.raises(SettingsError, match="a worker works for one of them") as caught:
        load(**urls, **mails)
    assert "REFRESHER_INTEGRATION_REFRESH__TRANSPORT (redis)" in str(caught.value)
    assert "REFRESHER_NOTIFICATION_EMAIL__TRANSPORT (rabbitmq)" in str(caught.value)
    load(**urls, **mails, integration_refresh=IntegrationRefresh(transport="rabbitmq"))
    load(**urls, **mails, integration_refresh=IntegrationRefresh(transport="in_process"))


def test_pika_is_named_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """It comes with an extra; nobody else needs it."""
    monkeypatch.setitem(sys.modules, "refresher.runtime.rabbitmq", None)
    with pytest.raises(SettingsError, match=r'pip install "refresher\[rabbitmq\]"'):
        make_broker(load(rabbitmq_url="amqp://h"), "rabbitmq")
