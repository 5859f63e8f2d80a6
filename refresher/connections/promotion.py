"""Makes a connection of what a session holds, or has the person begin again: one transaction.

The session is locked first, then the connection. So of two processes that go on with one session only
one promotes, and the other sees it. What is decided here: `rules/promoting.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

import structlog

from refresher.connections.registration import take_within
from refresher.connections.rights import right_of
from refresher.errors import InvalidConnection, QuotaReached
from refresher.rules.accounts import Account
from refresher.rules.connect import (
    HELD_SECONDS,
    Finish,
    Kind,
    Outcome,
    Problem,
    Result,
    Session,
    State,
    Trouble,
)
from refresher.rules.connection import connection_id
from refresher.rules.consented import handed_in, settled_host
from refresher.rules.held import Held
from refresher.rules.promoting import Accepted, Came, Wanted, judge
from refresher.rules.providers import Provider
from refresher.rules.registration import NewConnection
from refresher.runtime import checkpoints
from refresher.runtime.services import Services
from refresher.store import connect, connect_steps, promotion, registration
from refresher.store.promotion import Target
from refresher.store.quotas import Limited, Quota
from refresher.store.session import Db, retrying

log = structlog.get_logger()


class Refused(Exception):
    """What is held becomes no connection; nothing of the transaction stays."""

    def __init__(self, trouble: Trouble, *, for_good: bool = False) -> None:
        super().__init__(trouble.code)
        self.trouble, self.for_good = trouble, for_good


@dataclass(frozen=True, slots=True)
class Whole:
    """A session as it was read, what it holds, and the account that consented."""

    provider: Provider
    session: Session
    held: Held
    account: Account | None


def settle(services: Services, whole: Whole) -> None:
    """Promotes what is held, waits for the application's word, or has the person begin again.

    Does nothing where somebody else went on with the session meanwhile.
    """
    try:
        retrying(lambda: _settle(services, whole))
    except Refused as refused:
        reopen(services, whole.session, refused.trouble, for_good=refused.for_good)


def reopen(
    services: Services, session: Session, trouble: Trouble, *, for_good: bool = False
) -> None:
    """Erases what is held, and says why; the person may begin again, unless the session is over."""

    def work() -> bool:
        with services.database.transaction() as db:
            now = connect.locked(db, session.id)
            if now is None or (now.state, now.held) != (session.state, session.held):
                return False
            if for_good:
                return connect_steps.end(db, session.id, Outcome.CANCELLED, trouble)
            return connect_steps.reopen(db, session.id, trouble)

    if retrying(work):
        _tell(services, session, trouble.code.value, why=trouble.sentence)


def give_up(services: Services, session: Session, attempt_id: UUID, trouble: Trouble) -> bool:
    """Says why the code of an attempt brought nothing, if the session still waits for it."""
    with services.database.transaction() as db:
        now = connect.locked(db, session.id)
        waits = now is not None and now.state is State.EXCHANGING and now.attempt_id == attempt_id
        done = waits and connect_steps.reopen(db, session.id, trouble)
    if done:
        _tell(services, session, trouble.code.value, why=trouble.sentence)
    return done


def _tell(services: Services, session: Session, outcome: str, **more: str) -> None:
    about = {"session_id": str(session.id), "provider": session.provider}
    log.info("connect", **about, outcome=outcome, **more)
    services.meter.consented(session.provider, outcome)


def _settle(services: Services, whole: Whole) -> None:
    with services.database.transaction() as db:
        session = connect.locked(db, whole.session.id)
        if session is None or (session.state, session.held) != (State.HELD, whole.session.held):
            return
        right = right_of(services, session, connect.standing(db, session)).trouble
        if right is not None:
            raise Refused(right, for_good=right.code is Problem.RIGHT_ENDED)
        made = _made(db, replace(whole, session=session))
        if session.finish is Finish.APPLICATION and session.confirmed_at is None:
            connect_steps.ready(db, session.id, made.result)
            return
        _store(services, db, made)
        checkpoints.reach("promoting")
    _tell(services, session, "connected", connection_id=str(made.new.id))


@dataclass(frozen=True, slots=True)
class _Made:
    """What a promotion would store, and tell."""

    whole: Whole
    target: Target | None
    new: NewConnection
    accepted: Accepted
    result: Result


def _made(db: Db, whole: Whole) -> _Made:
    """Returns what the held answer comes to; raises `Refused`."""
    session, held = whole.session, whole.held
    target, external_id = _target(db, whole)
    host = settled_host(whole.provider, held)
    if isinstance(host, Trouble):
        raise Refused(host)
    try:
        new = handed_in(
            whole.provider, session, held, external_id, host,
            arrived_epoch_seconds=_arrived_at(session).timestamp(),
            now_epoch_seconds=registration.database_now(db).timestamp(),
        )  # fmt: skip
    except InvalidConnection as error:
        raise Refused(Trouble(Problem.OUTCOME_UNKNOWN, str(error))) from None
    came = Came(
        account=whole.account,
        has_refresh_token=new.refresh_token is not None,
        asked=held.asked,
        granted=new.granted_scopes,
        app_name=session.app_name,
        host=host,
    )
    verdict = judge(whole.provider, target.stored if target else None, came, _wanted(session))
    if isinstance(verdict, Trouble):
        raise Refused(verdict)
    new = replace(new, scopes=verdict.scopes, because=f"by connect session {session.id}")
    return _Made(whole, target, new, verdict, _result(whole, new, verdict))


def _arrived_at(session: Session) -> datetime:
    assert session.held_until is not None  # it holds something
    return session.held_until - timedelta(seconds=HELD_SECONDS)


def _wanted(session: Session) -> Wanted:
    return Wanted(
        required_scopes=session.required_scopes,
        allow_account_change=session.allow_account_change,
        named=session.external_id is not None or session.connection_id is not None,
        confirmed=session.finish is Finish.APPLICATION,
    )


def _target(db: Db, whole: Whole) -> tuple[Target | None, str]:
    """Returns the connection that it is for, if there is one yet, and what it is called.

    Raises `Refused` where the right to connect it is gone (C11).
    """
    session, account = whole.session, whole.account
    name = session.external_id or (account.id if account else "")
    whose = connection_id(session.organization_id, session.provider, name)
    target = promotion.locked(db, session.connection_id or whose)
    if target is None and session.kind is Kind.NEW:
        return None, name
    gone = target is None or (target.deleted and session.kind is Kind.RECONNECT)
    if target is None or gone or target.disabled or target.is_sibling:
        why = (
            "deleted" if gone else "disabled" if target and target.disabled else "no root any more"
        )
        trouble = Trouble(Problem.RIGHT_ENDED, f"the connection of this session is {why}")
        raise Refused(trouble, for_good=True)
    return target, target.external_id


def _result(whole: Whole, new: NewConnection, accepted: Accepted) -> Result:
    account = whole.account
    return Result(
        account=account.id if account else None,
        account_label=account.label if account else None,
        granted_scopes=new.granted_scopes or accepted.scopes,
        missing_scopes=accepted.missing_scopes,
        account_learned=accepted.account_learned,
        account_changed=accepted.account_changed,
    )


def _store(services: Services, db: Db, made: _Made) -> None:
    session, new, target = made.whole.session, made.new, made.target
    if made.accepted.drops and target is not None:
        promotion.drop_refresh_token(db, target.id)
    if made.accepted.account_changed and target is not None:
        promotion.forget_other_account(db, target.id)
    quota = Quota(Limited.CONNECTIONS, session.organization_id, services.settings.quota_connections)
    room = quota.room(db) if target is None or target.deleted else None
    taken = take_within(services, db, [new])
    if taken.rejected:
        raise Refused(Trouble(Problem.OUTCOME_UNKNOWN, taken.rejected[0]))
    try:
        if room is not None:
            quota.keep(room)
    except QuotaReached as error:
        raise Refused(Trouble(Problem.RIGHT_ENDED, str(error)), for_good=True) from None
    account = made.whole.account
    label = account.label if account else None
    promotion.note_account(db, new.id, account.id if account else None, label)
    deed = "connected" if target is None else "reconnected"
    connect.note(db, session.maker, deed, session, new.id)
    connect_steps.end(db, session.id, Outcome.CONNECTED, connection_id=new.id, result=made.result)
