"""What all frameworks share of connecting: a user, a session, a query in; where to go, or a sentence.

What binds a consent to the user who began it (docs/connect.md): the verifier lies in *their* session,
with who they were then, and is used once.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from html import escape
from typing import Any, NamedTuple, cast
from uuid import UUID

from refresher.client.connecting import ConnectProblem, ConnectStart, ConnectStatus, Whom, Wishes
from refresher.contrib.driving import Steps
from refresher.errors import ConnectRefused, RefresherError, SettingsError

Session = MutableMapping[str, Any]
KEPT = "refresher_connecting"
"""The place in a user's session."""
MOST_KEPT = 4
"""Consents of one user under way, in several tabs: sessions in cookies have 4 kB."""
WAIT_SECONDS = 10.0
"""For a consent that somebody else is just carrying out."""
HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""Of a page at whose address a code stands."""
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Whoever:
    """Who is signed in: whose account is connected. `for_whom` is shown to them: "Ann, of Acme"."""

    organization_id: str
    external_id: str
    for_whom: str | None = None

    def __post_init__(self) -> None:
        for name in ("organization_id", "external_id"):
            if not isinstance(getattr(self, name), str):
                raise SettingsError(f"{name} of a Whoever must be a text: give str(…) of yours")


@dataclass(frozen=True, slots=True)
class Connected:
    """What came of a consent: the account that is connected now, or again, and for whom."""

    connection_id: UUID
    provider: str
    who: Whoever
    status: ConnectStatus


@dataclass(frozen=True, slots=True)
class Refused:
    """Why nothing was connected, in a sentence for the person who sees it, with its HTTP status.

    `code` is `signed_out`, `no_such_provider`, `elsewhere` (it began in another browser, or is over),
    `other_user`, `cancelled`, `failed` (with the `problem`), `not_confirmed` or `trouble` (with the
    `error`, for the log). `provider` is where to begin once more, if that is known.
    """

    code: str
    sentence: str
    status: int
    provider: str | None = None
    problem: ConnectProblem | None = None
    error: RefresherError | None = None


class _Kept(NamedTuple):
    """What the session holds of one consent, as a list: sessions are JSON."""

    verifier: str
    provider: str
    organization_id: str
    external_id: str


SIGNED_OUT = Refused("signed_out", "Please sign in, and begin once more.", 401)
NO_SUCH_PROVIDER = Refused("no_such_provider", "Such an account cannot be connected here.", 404)
ELSEWHERE = Refused(
    "elsewhere", "This began in another browser, or is over. Nothing was changed.", 409
)


def check_providers(providers: Mapping[str, Wishes]) -> dict[str, Wishes]:
    """Returns the providers whose accounts users may connect; raises `SettingsError` for none."""
    if not isinstance(providers, Mapping) or not providers:
        raise SettingsError(
            "providers names none: give those that users may connect, and what is asked for, such as "
            '{"google": {"scopes": ["openid"]}}'
        )
    return dict(providers)


def begin(
    providers: Mapping[str, Wishes],
    provider: str,
    who: Whoever | None,
    session: Session,
    return_url: str,
) -> Steps[str | Refused]:
    """Begins a consent for the signed-in user; returns the URL to send them to."""
    if who is None:
        return SIGNED_OUT
    if provider not in providers:
        return NO_SUCH_PROVIDER
    whom: dict[str, Any] = {
        "for_whom": who.for_whom,
        **providers[provider],
        "provider": provider,
        "organization_id": who.organization_id,
        "external_id": who.external_id,
        "return_url": return_url,
        "flow": "redirect",
        "finish": "application",
    }
    try:
        start: ConnectStart = yield lambda refresher: refresher.connect_url(**cast("Whom", whom))
    except RefresherError as error:
        return _trouble(provider, error)
    made = _Kept(start.verifier or "", provider, who.organization_id, who.external_id)
    others = list(_kept(session).items())[1 - MOST_KEPT :]
    session[KEPT] = {n: list(one) for n, one in [*others, (str(start.session_id), made)]}
    return start.url


def come_back(
    query: Mapping[str, str], who: Whoever | None, session: Session
) -> Steps[Connected | Refused]:
    """Confirms that who came back is who began, and returns the connection.

    What is kept in the session stays until it has ended: after trouble the page can be loaded again.
    """
    session_id = query.get("connect_session", "")
    kept = _kept(session).get(session_id)
    if kept is None:
        return ELSEWHERE
    if refused := _other_than(kept, who):
        return refused
    if query.get("connect_status") != "confirm":
        return (yield from _not_connected(session_id, query, kept.provider))
    found = yield from _completed(session_id, query.get("connect_code", ""), kept)
    if isinstance(found, Refused):
        return found
    if found.connection_id is None or not found.is_connected:
        return _failed(kept.provider, found.problem)
    session[KEPT] = {n: list(one) for n, one in _kept(session).items() if n != session_id}
    whose = Whoever(kept.organization_id, kept.external_id)
    return Connected(found.connection_id, kept.provider, who or whose, found)


def page(sentence: str, again: str | None = None) -> str:
    """Returns a plain page for a person: a sentence, and a link to begin once more."""
    link = f'<p><a href="{escape(again)}">Try again</a></p>' if again else ""
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width"><meta name="color-scheme" '
        f'content="light dark"><title>Connect</title><p>{escape(sentence)}</p>{link}</html>'
    )


def _other_than(kept: _Kept, who: Whoever | None) -> Refused | None:
    if who is None:
        return SIGNED_OUT
    if (who.organization_id, who.external_id) == (kept.organization_id, kept.external_id):
        return None
    return Refused("other_user", "Another user began this. Nothing was changed.", 409)


def _completed(session_id: str, code: str, kept: _Kept) -> Steps[ConnectStatus | Refused]:
    try:
        done = yield from _confirmed(session_id, code, kept.verifier)
        if not done.is_over:
            done = yield lambda refresher: refresher.connect_wait(session_id, WAIT_SECONDS)
    except ConnectRefused as error:
        sentence = "It was not confirmed in time, and nothing was connected."
        return Refused("not_confirmed", sentence, 409, kept.provider, None, error)
    except RefresherError as error:
        return _trouble(kept.provider, error)
    return done


def _confirmed(session_id: str, code: str, verifier: str) -> Steps[ConnectStatus]:
    try:
        done: ConnectStatus = yield lambda refresher: refresher.connect_complete(
            session_id, code=code, verifier=verifier
        )
        return done
    except ConnectRefused:
        # The answer to our first word may have been lost. Nobody else has the verifier.
        status: ConnectStatus = yield lambda refresher: refresher.connect_status(session_id)
        if status.is_connected:
            return status
        raise


def _not_connected(session_id: str, query: Mapping[str, str], provider: str) -> Steps[Refused]:
    try:
        status: ConnectStatus = yield lambda refresher: refresher.connect_status(session_id)
    except RefresherError as error:
        return _trouble(provider, error)
    if query.get("connect_status") == "cancelled":
        sentence = "It was cancelled, and nothing was connected."
        return Refused("cancelled", sentence, 200, provider, status.problem)
    return _failed(provider, status.problem)


def _failed(provider: str, problem: ConnectProblem | None) -> Refused:
    sentence = "It did not work, and nothing was connected."
    return Refused("failed", sentence, 200, provider, problem)


def _trouble(provider: str, error: RefresherError) -> Refused:
    log.warning("an account of %s could not be connected: %s", provider, error)
    sentence = "Accounts cannot be connected at the moment. Please try again later."
    return Refused("trouble", sentence, 503, provider, None, error)


def _kept(session: Session) -> dict[str, _Kept]:
    found = session.get(KEPT)
    if not isinstance(found, dict):
        return {}
    return {n: _Kept(*one) for n, one in found.items() if len(one) == len(_Kept._fields)}
