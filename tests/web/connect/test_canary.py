"""What opens a consent, or comes of one, is found nowhere but sealed (T22, C25).

Everything that was ever a `Secret` in this process is searched for, and every URL's secret parameters
and cookie that a browser saw: in the logs at debug, every table, traces, metrics, Sentry, and what is
told of sessions. What a browser and a
whole deployment keep is searched in tests/browser/test_canary.py.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qsl, urlsplit

import pytest
import structlog
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from pydantic_core import to_json
from sqlalchemy import text

from refresher.connections import connect, connect_sweep, visits
from refresher.devkit.browser import Browser
from refresher.rules.connect import Outcome, Problem, Session
from refresher.rules.connect_view import view
from refresher.rules.connection import Secret
from refresher.runtime import tracing
from refresher.runtime.log import configure
from refresher.settings import load
from tests.runtime.metrics.kit import open_meter
from tests.runtime.test_log import Log, written
from tests.runtime.test_reporting import Kept, sentry
from tests.web.connect import stage as staging
from tests.web.connect.stage import ACTOR, VERIFIER, Stage
from tests.world import World

__all__ = ["sentry", "written"]
SECRET_PARAMETERS = {"state", "code", "connect_code", "nonce", "code_verifier", "id_token"}
LEAST_LENGTH = 20
"""Shorter ones are the fake provider's own words: the client's secret, and nothing of a consent."""
PECULIAR = """
[providers.{name}]
title = "{name}"
token_url = "{{url}}/token"
client_auth = "basic"
authorize_url = "{{far}}/authorize"
default_scopes = ["openid"]

[providers.{name}.connect]
{more}

[providers.{name}.connect.identity]
found_in = [{found_in}]
paths = ["sub"]
url = "{{url}}/userinfo"

[apps.{name}]
client_id = "fake-client"
client_secret = "fake-secret"
"""
STEP = 'second_step = {{ url = "{url}/token", grant_type = "another" }}'


@pytest.fixture
def secrets(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """All that was a secret since the test began."""
    found: set[str] = set()
    made = Secret.__init__

    def noted(self: Secret, value: str) -> None:
        found.update(_parts(value))
        made(self, value)

    monkeypatch.setattr(Secret, "__init__", noted)
    return found


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    """The spans of this test."""
    exporter = InMemorySpanExporter()
    assert tracing.start(load(traces="otlp"), "web", SimpleSpanProcessor(exporter))
    yield exporter
    tracing.stop()


def test_no_secret_of_a_consent_is_found_anywhere(
    secrets: set[str],
    written: Log,
    sentry: Kept,
    spans: InMemorySpanExporter,
    monkeypatch: pytest.MonkeyPatch,
    database_url: str,
    tmp_path: Path,
) -> None:
    """Connected, by the application, and failed in each way: nothing is left lying."""
    peculiar = PECULIAR.format(name="asked", found_in='"userinfo"', more="")
    peculiar += PECULIAR.format(name="stepped", found_in='"id_token", "userinfo"', more=STEP)
    monkeypatch.setattr(staging, "ENTRY", staging.ENTRY + peculiar)
    with Stage.opened(database_url, tmp_path) as stage:
        _log("json")
        open_meter(cast("World", stage), "web")
        # When people connect, and fail in every way
        came_to = [*_connected(stage, secrets), *_failed(stage, secrets)]
        _log("console")
        came_to += [*_connected(stage, secrets, "ida"), _broken(stage, secrets, monkeypatch)]
        connect_sweep.look(stage.services)
        problems = {one.trouble.code for one in came_to if one.trouble}
        tables = _tables(stage)
        places = {
            "logs": written.text,
            "tables": tables,
            "traces": "\n".join(span.to_json() for span in spans.get_finished_spans()),
            "metrics": (stage.services.meter.scrape("") or (b"",))[0].decode(),
            "sentry": json.dumps(sentry.events),
            "sessions": "\n".join(to_json(view(one)).decode() for one in came_to),
        }
    # Then each place was looked at, and has none of it
    assert problems == PROBLEMS
    assert {name: sign for name, sign in SIGNS.items() if sign not in places[name]} == {}
    assert len(secrets) > 60
    for name, held in places.items():
        assert {secret for secret in secrets if secret in held} == set(), name


PROBLEMS = {
    *(Problem.WRONG_ACCOUNT, Problem.REFUSED_CODE, Problem.DENIED, Problem.APP_WRONG),
    *(Problem.ACCOUNT_UNKNOWN, Problem.NO_REFRESH_TOKEN),
}
SIGNS = {
    "logs": '"outcome": "wrong_account"',
    "tables": "connect_session",
    "traces": "exchange",
    "metrics": "refresher_consents_total",
    "sentry": "ValueError",
    "sessions": '"outcome":"connected"',
}
"""By what it is seen that the search had these places in hand."""


def _log(form: str) -> None:
    """Has all be written in this form from now on, also by those who have a logger already."""
    configure(load(log_format=form, log_level="debug"))
    structlog.configure(cache_logger_on_first_use=False)


def _connected(stage: Stage, secrets: set[str], who: str = "ann") -> list[Session]:
    """Has a person connect by our page, and another by the application's word."""
    one, url = stage.link(external_id=who)
    _walk(stage, secrets, who, url)
    two, url = stage.link(external_id=f"{who}-2", confirms=True)
    with stage.browser(who) as person:
        page = person.open(url, until=staging.RETURN_URL)
        _note(person, secrets)
        told = dict(parse_qsl(urlsplit(page.next_url or "").query))
        secrets.update({told["connect_code"], VERIFIER})
    connect.complete(stage.services, two.id, told["connect_code"], VERIFIER, ACTOR)
    done = [stage.now(session) for session in (one, two)]
    assert [session.outcome for session in done] == [Outcome.CONNECTED] * 2
    return done


def _failed(stage: Stage, secrets: set[str]) -> Iterator[Session]:
    """Has consents fail: another account, a refused code, words of the provider, two later steps."""
    first = stage.link(external_id="eve")
    _walk(stage, secrets, "eve", first[1])
    known = stage.now(first[0]).connection_id
    yield _tried(stage, secrets, "ben", connection_id=known, provider=None)
    hostile = "code=<b>Zm9v</b> " + "x" * 3_000
    stage.provider.admin.add_fault("error", on="code", count=1, error_description=hostile)
    yield _tried(stage, secrets, "joe")
    for error in ("access_denied", "invalid_scope"):
        stage.provider.admin.add_fault(
            "error", on="authorize", count=1, error=error, error_description=hostile
        )
        yield _tried(stage, secrets, "kim")
    stage.provider.admin.add_fault("error", on="userinfo", count=3)
    yield _tried(stage, secrets, "lou", provider="asked")
    yield _tried(stage, secrets, "may", provider="stepped")


def _broken(stage: Stage, secrets: set[str], monkeypatch: pytest.MonkeyPatch) -> Session:
    """Has a bug of ours meet a callback, with all of it in its hands."""

    def bug(_services: object, _slug: str, pairs: object, _cookies: object) -> None:
        try:
            int(str(pairs))
        except ValueError:
            structlog.get_logger().exception("a bug of ours")
            raise

    monkeypatch.setattr(visits, "arrive", bug)
    return _tried(stage, secrets, "ned")


def _tried(stage: Stage, secrets: set[str], who: str, **order: Any) -> Session:
    session, url = stage.link(**order)
    _walk(stage, secrets, who, url)
    return stage.now(session)


def _walk(stage: Stage, secrets: set[str], who: str, url: str) -> None:
    """Goes through a consent to its page, and notes what the browser saw of it."""
    with stage.browser(who) as person:
        secrets.add(url.rpartition("/")[2])
        person.open(url)
        person.submit()
        _note(person, secrets)


def _note(person: Browser, secrets: set[str]) -> None:
    secrets.update(cookie.value for cookie in person.jar if "rfc-" in cookie.name)
    page = person.page
    for url in (*person.history, *(page.hops if page else ())):
        query = parse_qsl(urlsplit(url).query)
        secrets.update(value for name, value in query if name in SECRET_PARAMETERS)


NO_SECRET = re.compile(r"https?:.*|.* .*|[0-9a-f]{64}")
"""URLs, words, and the hash of a nonce, which an answer that is held stands beside."""


def _parts(value: str) -> Iterator[str]:
    """Yields a secret, and those within: an answer that is held is one, and has several."""
    try:
        within = json.loads(value)
    except ValueError:
        within = None
    if isinstance(within, Mapping | list):
        for part in within.values() if isinstance(within, Mapping) else within:
            yield from _parts(part) if isinstance(part, str) else _parts(json.dumps(part))
    elif len(value) >= LEAST_LENGTH and not NO_SECRET.fullmatch(value):
        yield value


def _tables(stage: Stage) -> str:
    """Returns every row of every table as text, and what its bytes spell."""
    held = []
    with stage.services.database.transaction() as db:
        names = db.execute(text("select relname from pg_stat_user_tables")).scalars().all()
        for name in names:
            rows = db.execute(text(f'select t::text from "{name}" t')).scalars()
            held += [name, *map(str, rows)]
    spelt = [bytes.fromhex(found) for found in re.findall(r"\\x([0-9a-f]+)", "\n".join(held))]
    return "\n".join([*held, *(found.decode("latin-1") for found in spelt)])
