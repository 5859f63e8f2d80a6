"""What every strategy promises, ours and plug-ins: `check_strategy` asks it for all of that.

A strategy is pure: no file, no socket, no process, no pause, no clock and no dice of its own. Python's
audit hook tells of I/O, whatever library does it.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TypeVar
from urllib.parse import parse_qsl, urlsplit

from refresher.outbound.sender import write
from refresher.rules.clients import ClientCredentials
from refresher.rules.connection import Reply, Secret
from refresher.rules.outcomes import Refreshed, Revoked, classify
from refresher.rules.placeholders import UnbuildableRequest
from refresher.rules.plugins import METHODS, Given, Plugin, Wanted, ask, translated
from refresher.rules.providers import Provider
from refresher.rules.requests import build_request

T = TypeVar("T")
NOW = 1_795_000_000.0
DOING = (
    *("open", "socket.", "subprocess.", "os.", "shutil.", "time.sleep", "urllib.", "http.client."),
    *("sqlite3.", "tempfile.", "ftplib.", "smtplib.", "_thread.start", "_posixsubprocess."),
)
"""Beginnings of the audit events of whoever does I/O: docs.python.org/3/library/audit_events.html."""
CODE = (".py", ".pyc", ".so", ".pyd")
IMPORTING = ("os.listdir", "os.scandir", "os.mkdir", "os.rename")
NO_ANSWERS = (b"", b"<html>503</html>", b"[]", b"null", b"{", b"\xff\xfe", b'{"error": 1}', b'"x"')
JSON = MappingProxyType({"content-type": "application/json"})
_here = threading.local()


@dataclass(frozen=True, slots=True)
class Sample:
    """An answer as the provider sends it."""

    body: bytes
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=lambda: JSON)


def given_for(entry: Provider, **changed: object) -> Given:
    """Returns what a strategy of this entry is given, with made-up secrets; fields may be changed."""
    sample = Given(
        provider=entry.name,
        url=entry.refresh_url or entry.token_url,
        client_id="a-client-id",
        client_secret=Secret("a-client-secret"),
        access_token=Secret("an-access-token"),
        refresh_token=Secret("a-refresh-token"),
        scopes=("read", "write"),
        parameters=entry.parameters,
        now_epoch_seconds=NOW,
        nonce="a-nonce",
    )
    return replace(sample, **changed)  # type: ignore[arg-type]  # whoever writes a test is told


class Own:
    """One of our own strategies in the shape of a plug-in, so that it keeps the same promises."""

    def __init__(self, entry: Provider) -> None:
        self._entry = entry

    def request(self, given: Given) -> Wanted:
        """Returns the request that the entry's fields say."""
        client = given.client_id and ClientCredentials(given.client_id, given.client_secret)
        wire = write(
            build_request(
                self._entry,
                client=client or None,
                access_token=given.access_token,
                refresh_token=given.refresh_token,
                scopes=given.scopes,
            )
        )
        assert wire.method in METHODS
        query = dict(parse_qsl(urlsplit(wire.url).query))
        return Wanted(wire.content, wire.headers, query, wire.method)  # type: ignore[arg-type]

    def answer(self, _status: int, _headers: Mapping[str, str], _body: bytes) -> None:
        """Has it read by the entry's fields."""


def check_strategy(
    strategy: Plugin,
    entry: Provider,
    *,
    granted: Sample,
    dead: Sample | None = None,
    changed: Mapping[str, object] = MappingProxyType({}),
) -> Wanted:
    """Returns the request of a strategy that keeps its promises; raises `AssertionError`, a sentence.

    `granted` is an answer with tokens, `dead` one that says that the grant is dead; `changed` are
    fields of `Given` that the strategy needs otherwise.
    """
    given = given_for(entry, **changed)
    wanted = _same(lambda: ask(entry.name, strategy, given), "request")
    for missing in ("access_token", "refresh_token", "client_secret", "client_id"):
        said = _refusal(entry.name, strategy, replace(given, **{missing: None}))  # type: ignore[arg-type]
        assert " raised " not in said, f"{said}, where {missing} is None: say what lacks"
    _check_answers(strategy, entry, granted, dead)
    return wanted


def _refusal(name: str, strategy: Plugin, given: Given) -> str:
    try:
        ask(name, strategy, given)
    except UnbuildableRequest as error:
        return str(error)
    return ""


def _check_answers(strategy: Plugin, entry: Provider, granted: Sample, dead: Sample | None) -> None:
    def outcome(sample: Sample) -> object:
        reply = Reply(sample.status, sample.headers, sample.body)
        read = _same(lambda: translated(entry.name, strategy, reply), "answer")
        return classify(entry, read, NOW)

    found = outcome(granted)
    assert isinstance(found, Refreshed), f"the granted answer is read as {found}"
    if dead is not None:
        found = outcome(dead)
        assert isinstance(found, Revoked), f"the answer of a dead grant is read as {found}"
    for body in (*NO_ANSWERS, granted.body[:1]):
        for status in (200, 400, 503):
            found = outcome(replace(granted, body=body, status=status))
            assert not isinstance(found, Refreshed), f"{body!r} is read as a grant"
            assert not isinstance(found, Revoked), f"{body!r} is read as the end of the grant"


def _same(work: Callable[[], T], what: str) -> T:
    """Returns what is made, twice alike and without I/O."""
    first = _pure(work, what, importing=True)
    second = _pure(work, what, importing=False)
    assert first == second, (
        f"{what}() makes something else each time: take the time and chance from Given "
        "(now_epoch_seconds, nonce)"
    )
    return second


def _pure(work: Callable[[], T], what: str, *, importing: bool) -> T:
    with _watched(importing=importing) as did:
        try:
            return work()
        finally:
            assert not did, f"{what}() does I/O ({did[0]}): a strategy is pure"


@contextmanager
def _watched(*, importing: bool) -> Iterator[list[str]]:
    """Yields the I/O of this thread meanwhile; the first time code may be imported."""
    _hook()
    did: list[str] = []
    _here.seen = lambda event, what: did.append(event) if _is_io(event, what, importing) else None
    try:
        yield did
    finally:
        _here.seen = None


def _is_io(event: str, what: object, importing: bool) -> bool:  # noqa: FBT001  ours alone
    if importing and (event in IMPORTING or (event == "open" and str(what).endswith(CODE))):
        return False
    return event.startswith(DOING)


_hooked = threading.Lock()


def _hook() -> None:
    """Adds our hook once: Python has no way to take one away."""
    if _hooked.acquire(blocking=False):
        sys.addaudithook(_heard)


def _heard(event: str, arguments: tuple[object, ...]) -> None:
    seen = getattr(_here, "seen", None)
    if seen is not None:
        seen(event, arguments[0] if arguments else None)
