"""What a person's browser does with a connect session: looks, comes back, sees what came of it.

No key here: the link, and then the cookie of an attempt, is all the right there is. Each function is
one transaction; what it comes to is decided in `rules/connect_steps.py`. Leaving is in `departures.py`;
the code that `arrive` lets go is sent by `arrival.py`.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import assert_never
from uuid import UUID

from refresher.connections.departures import (
    OTHER,
    again,
    asks_host,
    attempt_of,
    of_link,
    secure,
    start,
    startable_of,
)
from refresher.connections.rights import right_of
from refresher.connections.visit_values import (
    Confirm,
    Connected,
    Failed,
    Leave,
    LinkEnded,
    OtherBrowser,
    ResultView,
    StartRefused,
    StartView,
    Waiting,
)
from refresher.rules import return_urls
from refresher.rules.authorize import asked_scopes
from refresher.rules.callbacks import Callback, read_callback
from refresher.rules.connect import (
    MOST_ATTEMPTS,
    SECRET_BYTES,
    Finish,
    Flow,
    Kind,
    Outcome,
    Problem,
    Session,
    State,
    Trouble,
    hashed,
    masked,
)
from refresher.rules.connect_steps import (
    Arrival,
    Exchange,
    Known,
    SendCode,
    ShowPage,
    ShowResult,
    Spend,
    arrived,
)
from refresher.runtime.services import Services
from refresher.store import connect, connect_attempts, connect_steps
from refresher.store.session import Db, retrying

__all__ = [
    "Arrival",
    "Confirm",
    "Connected",
    "Failed",
    "Leave",
    "LinkEnded",
    "OtherBrowser",
    "ResultView",
    "SendCode",
    "ShowPage",
    "ShowResult",
    "StartRefused",
    "StartView",
    "Waiting",
    "again",
    "arrive",
    "opened",
    "result",
    "start",
]


def opened(services: Services, link: str) -> StartView:
    """Returns what the page of a link says, changing nothing (C7); raises `LinkEnded`."""
    with services.database.reading() as db:
        session = of_link(db, link)
        stands = connect.standing(db, session)
    provider = startable_of(services, session, stands)
    consent, target = provider.connect, stands.target
    stored = target.scopes if target and session.kind is Kind.RECONNECT else ()
    words = consent.scope_words if consent else {}
    host = session.host or (target and target.host) or provider.default_host
    label = target and target.account_label
    return StartView(
        session_id=session.id,
        provider=provider.name,
        title=provider.known_as,
        organization_id=session.organization_id,
        organization_name=stands.organization_name,
        for_whom=session.for_whom,
        scopes=[(one, words.get(one)) for one in asked_scopes(provider, session.scopes, stored)],
        is_reconnect=session.kind is Kind.RECONNECT,
        account=masked(label) if label else None,
        asks_host=asks_host(provider, session),
        host=host,
        host_example=provider.host_example,
        is_hop=session.finish is Finish.APPLICATION and session.flow is Flow.REDIRECT,
    )


def arrive(
    services: Services,
    slug: str,
    pairs: Sequence[tuple[str, str]],
    cookies: Mapping[str, str],
) -> Arrival:
    """Takes a callback, once (C12 to C14); `SendCode` is the only leave there is to send its code."""
    callback = read_callback(pairs)

    def work() -> Arrival:
        with services.database.transaction() as db:
            known = _known(services, db, callback)
            step = arrived(callback, slug, known, cookies, secure=secure(services))
            if known is None or isinstance(step, ShowPage | ShowResult):
                assert isinstance(step, ShowPage | ShowResult)
                return step
            return _take(db, known, step, pairs)

    return retrying(work)


def _take(
    db: Db, known: Known, step: Spend | Exchange, pairs: Sequence[tuple[str, str]]
) -> Arrival:
    session, attempt = known.session, known.attempt
    match step:
        case Exchange(code):
            if connect_steps.enter_exchanging(db, session, attempt):
                return SendCode(session, attempt, code, tuple(pairs))
        case Spend(trouble, ends):
            spent = connect_attempts.spend(db, attempt.id, trouble)
            if spent and trouble is not None and ends:
                connect_steps.end(db, session.id, Outcome.CANCELLED, trouble)
            elif spent and trouble is not None:
                connect_steps.reopen(db, session.id, trouble)
        case never:
            assert_never(never)
    return ShowResult(session.id)


def result(services: Services, session_id: UUID, cookies: Mapping[str, str]) -> ResultView:
    """Returns what came of a session, for a browser that made an attempt; raises `OtherBrowser`.

    Where the application has the last word, each look makes a code of its own, and the last one counts.
    """
    with services.database.transaction() as db:
        session = connect.locked(db, session_id)
        own = attempt_of(services, db, session_id, cookies)
        if session is None or own is None:
            raise OtherBrowser(OTHER)
        if session.state is State.HELD and session.ready_at and session.confirmed_at is None:
            return _confirm(db, session)
        now = connect.standing(db, session).now
    provider = services.catalogue.get(session.provider)
    title = provider.known_as if provider else session.provider
    if session.state in {State.EXCHANGING, State.HELD}:
        return Waiting(session, title)
    if session.outcome is Outcome.CONNECTED:
        return Connected(session, title, _back(session, "connected"))
    trouble = session.trouble or own.trouble
    if trouble is None and session.state is State.OPEN:
        return Waiting(session, title)
    trouble = trouble or Trouble(Problem.EXPIRED, "the session has ended")
    may_retry = (
        session.state is State.OPEN
        and session.expires_at > now
        and session.attempts < MOST_ATTEMPTS
    )
    status = "cancelled" if trouble.code is Problem.DENIED else "failed"
    return Failed(session, title, trouble, may_retry, _back(session, status))


def _confirm(db: Db, session: Session) -> Confirm:
    code = secrets.token_urlsafe(SECRET_BYTES)
    connect_steps.give_code(db, session.id, hashed(code))
    return Confirm(session, _back(session, "confirm", connect_code=code) or "")


def _back(session: Session, status: str, **more: str) -> str | None:
    """Returns where the application is told what came of it: never a token, never the account."""
    if session.return_url is None:
        return None
    told = {"connect_session": str(session.id), "connect_status": status, **more}
    return return_urls.with_answer(session.return_url, told)


def _known(services: Services, db: Db, callback: Callback) -> Known | None:
    """Returns what is known of a callback's state, its session locked."""
    if callback.state is None:
        return None
    found = connect_attempts.by_state(db, hashed(callback.state))
    session = connect.locked(db, found.session_id) if found else None
    if found is None or session is None:
        return None
    attempt = connect_attempts.find(db, found.id) or found  # as it is, now that nobody else writes
    stands = connect.standing(db, session)
    right = right_of(services, session, stands)
    provider = services.catalogue.get(session.provider)
    announces = bool(provider and provider.connect and provider.connect.announces_iss)
    return Known(attempt, session, right, announces, stands.now)
