"""Sentry: off unless set and installed; what leaves is scrubbed."""

import json
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import sentry_sdk
import structlog
from sentry_sdk.envelope import Envelope
from sentry_sdk.transport import Transport

from refresher.errors import SettingsError
from refresher.runtime import sentry as reporting
from refresher.runtime.log import configure
from refresher.settings import load
from tests.runtime.test_log import CANARY, Log, written

__all__ = ["written"]
DSN = "https://public@sentry.example/1"


class Kept(Transport):
    """A transport that keeps what it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[Any] = []

    def capture_envelope(self, envelope: Envelope) -> None:
        """Keeps the event."""
        self.events.append(envelope.get_event())


@pytest.fixture
def sentry() -> Iterator[Kept]:
    """What Sentry would get."""
    kept = Kept()
    assert reporting.start(load(sentry_dsn=DSN), "worker", kept)
    yield kept
    reporting.stop()


def test_an_exception_is_reported_without_its_secrets(sentry: Kept, written: Log) -> None:
    """Type, place and ids leave; a token in the message, a variable or a field does not."""
    configure(load(log_format="json"))
    log = structlog.wrap_logger(structlog.PrintLogger(sys.stderr))
    local = f"refresh_token={CANARY}"
    try:
        int(local)
    except ValueError:
        log.exception("a tick failed", tick="sweep", access_token=CANARY)
    (event,) = sentry.events
    text = json.dumps(event)
    assert CANARY not in text
    assert event["exception"]["values"][0]["type"] == "ValueError"
    assert event["exception"]["values"][0]["stacktrace"]["frames"][-1]["lineno"] > 0
    assert event["contexts"]["log"]["tick"] == "sweep"
    assert event["tags"]["role"] == "worker"
    assert CANARY not in written.text


def test_a_line_without_an_exception_is_not_reported(sentry: Kept, written: Log) -> None:
    """Warnings and errors of the business stay in the log."""
    configure(load(log_format="json"))
    structlog.wrap_logger(structlog.PrintLogger(sys.stderr)).error("pausing", key="acme")
    assert sentry.events == []
    assert "pausing" in written.text


def test_personal_data_stays_off(sentry: Kept) -> None:
    """Neither personal data nor local variables nor request bodies are collected."""
    client = sentry_sdk.get_client()
    assert not client.should_send_default_pii()
    assert client.options["include_local_variables"] is False
    assert client.options["max_request_body_size"] == "never"
    assert sentry.events == []


def test_without_a_dsn_nothing_is_loaded() -> None:
    """Off is the default."""
    assert not reporting.start(load(), "worker")


def test_a_dsn_that_is_none_is_told_without_it() -> None:
    """A typo ends in a sentence that names the setting and not its value."""
    with pytest.raises(SettingsError, match="REFRESHER_SENTRY_DSN is no DSN") as raised:
        reporting.start(load(sentry_dsn="hunter2"), "worker")
    assert "hunter2" not in str(raised.value)


def test_a_missing_library_is_told_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set and not installed: a sentence with the command."""
    monkeypatch.setitem(sys.modules, "sentry_sdk", None)
    with pytest.raises(SettingsError, match=r"refresher\[sentry\]"):
        reporting.start(load(sentry_dsn=DSN), "worker")
