"""How a session goes on: code sent, answer held, ready, open again, ended. See docs/consents.md.

Each takes a session that the caller has locked (`connect.locked`), and returns False, changing nothing,
where it does not stand where the step begins. What ends or fails is written into the history of a
connection that exists, and told in the outbox, in the same transaction.
"""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from uuid import UUID

from refresher.rules.connect import (
    EXCHANGE_SECONDS,
    HELD_SECONDS,
    Attempt,
    Outcome,
    Problem,
    Result,
    Session,
    State,
    Trouble,
    masked,
)
from refresher.rules.connection import Sealed
from refresher.rules.notices import Kind
from refresher.store import connect, connect_attempts, connect_guard, outbox
from refresher.store.connect import trouble_text
from refresher.store.events import Event, append
from refresher.store.outbox import News
from refresher.store.session import Db, many, one, run

SWEPT_AFTER_SECONDS = 10.0
"""For so long whoever stored an answer goes on with it alone."""


def enter_exchanging(
    db: Db, session: Session, attempt: Attempt, *, seconds: float = EXCHANGE_SECONDS
) -> bool:
    """Spends the attempt, so that its code may be sent, once; holds back refreshes meanwhile.

    False where the attempt is spent or the session is not open: then nothing may be sent.
    """
    if not connect_attempts.spend(db, attempt.id) or session.state is not State.OPEN:
        return False
    ours = session.connection_id is not None and connect_guard.hold_back(db, session)
    sql = """
        update connect_session set state = 'exchanging', attempt_id = :attempt, guard_set = :ours,
            exchange_until = refresher_now() + :seconds * interval '1 second', problem = null
        where id = :id and state = 'open'
        """
    values = {"id": session.id, "attempt": attempt.id, "ours": ours, "seconds": seconds}
    return run(db, sql, **values).rowcount == 1


def hold(
    db: Db, session_id: UUID, attempt_id: UUID, sealed: Sealed, *, seconds: float = HELD_SECONDS
) -> bool:
    """Keeps the answer to an attempt's code, sealed (owner: the session, column `held`).

    Refreshes may go on. False where the session waits for no such answer any more.
    """
    session = connect.locked(db, session_id)
    sql = """
        update connect_session set state = 'held', held = :sealed, exchange_until = null,
            held_until = refresher_now() + :seconds * interval '1 second', guard_set = false
        where id = :id and state = 'exchanging' and attempt_id = :attempt
        """
    values = {"id": session_id, "attempt": attempt_id, "sealed": sealed, "seconds": seconds}
    if session is None or run(db, sql, **values).rowcount != 1:
        return False
    _let_go(db, session)
    return True


def hold_again(db: Db, session_id: UUID, before: Sealed, sealed: Sealed) -> bool:
    """Keeps what is held with more to it, such as a second step's answer; its end stays.

    False where something else is held by now than `before`: that one counts.
    """
    sql = "update connect_session set held = :sealed where id = :id and held = :before"
    return run(db, sql, id=session_id, before=before, sealed=sealed).rowcount == 1


def ready(db: Db, session_id: UUID, result: Result) -> bool:
    """Notes that only the application's word is missing, and what it will come to."""
    sql = """
        update connect_session set ready_at = coalesce(ready_at, refresher_now()),
            result = cast(:result as jsonb)
        where id = :id and state = 'held'
        """
    return run(db, sql, id=session_id, result=_text(result)).rowcount == 1


def give_code(db: Db, session_id: UUID, code_hash: bytes) -> bool:
    """Notes the one-time code that goes to the return URL; one that went before is worth nothing."""
    sql = """
        update connect_session set finish_code_hash = :code_hash, finish_code_until = held_until
        where id = :id and state = 'held' and ready_at is not null and confirmed_at is null
        """
    return run(db, sql, id=session_id, code_hash=code_hash).rowcount == 1


def confirm(db: Db, session_id: UUID) -> bool:
    """Notes the application's word; once."""
    sql = """
        update connect_session set confirmed_at = refresher_now(), finish_code_hash = null
        where id = :id and state = 'held' and ready_at is not null and confirmed_at is null
        """
    return run(db, sql, id=session_id).rowcount == 1


def reopen(db: Db, session_id: UUID, trouble: Trouble) -> bool:
    """Erases what is held, and has the person begin again; over where its time is.

    Refreshes may go on.
    """
    session = connect.locked(db, session_id)
    if session is None or session.ended_at is not None:
        return False
    if one(db, bool, _IS_OVER, id=session_id):
        return end(db, session_id, Outcome.EXPIRED, trouble)
    sql = f"update connect_session set state = 'open', {_ERASED} where id = :id"  # noqa: S608
    run(db, sql, id=session_id, problem=trouble_text(trouble))
    _let_go(db, session)
    _write_failure(db, session, trouble)
    return True


def end(
    db: Db,
    session_id: UUID,
    outcome: Outcome,
    trouble: Trouble | None = None,
    *,
    connection_id: UUID | None = None,
    result: Result | None = None,
) -> bool:
    """Ends a session for good, erasing what is held, and tells it in the outbox.

    `connection_id` is the connection that it came to, stored before in this transaction, `result` what
    is told of it: both where the outcome is `CONNECTED`.
    """
    session = connect.locked(db, session_id)
    if session is None or session.ended_at is not None:
        return False
    sql = f"""
        update connect_session set state = 'ended', {_ERASED}, outcome = :outcome,
            ended_at = refresher_now(), connection_id = coalesce(:connection_id, connection_id),
            result = coalesce(cast(:result as jsonb), result)
        where id = :id
        """  # noqa: S608  our own words
    run(
        db,
        sql,
        id=session_id,
        outcome=outcome.value,
        problem=trouble_text(trouble),
        connection_id=connection_id,
        result=None if result is None else _text(_whole(db, session, connection_id, result)),
    )
    _let_go(db, session)
    if outcome is Outcome.CONNECTED:
        assert connection_id is not None
        outbox.append(db, [_connected(session, connection_id, result or Result())])
    else:
        _tell_end(db, session, outcome, trouble)
    return True


def _tell_end(db: Db, session: Session, outcome: Outcome, trouble: Trouble | None) -> None:
    why = trouble or Trouble(Problem.EXPIRED, f"the session is {outcome.value}")
    _write_failure(db, session, why)
    outbox.tell_session(db, session, outcome, trouble)


def _whole(db: Db, session: Session, connection_id: UUID | None, result: Result) -> Result:
    """Returns the result with the other connections of the same account."""
    sql = """
        select id::text from connection
        where organization_id = :organization_id and provider = :provider and account = :account
          and id <> :id and slot_of is null and deleted_at is null order by id limit 20
        """
    others = many(
        db,
        str,
        sql,
        organization_id=session.organization_id,
        provider=session.provider,
        account=result.account,
        id=connection_id,
    )
    return replace(result, also_connected_as=others)


def _connected(session: Session, connection_id: UUID, result: Result) -> News:
    facts = {
        "session_id": str(session.id),
        "session_kind": session.kind,
        "flow": session.flow,
        "account_label": result.account_label and masked(result.account_label),
        "granted_scopes": list(result.granted_scopes),
        "missing_scopes": list(result.missing_scopes),
        "account_learned": result.account_learned,
    }
    kind = Kind.ACCOUNT_CHANGED if result.account_changed else Kind.CONNECTED
    return News(("connection", str(connection_id)), kind, facts)


def _text(result: Result) -> str:
    return json.dumps(asdict(result))


def _let_go(db: Db, session: Session) -> None:
    if session.guard_set and session.connection_id is not None:
        connect_guard.let_go(db, session.connection_id, session.id)


def _write_failure(db: Db, session: Session, trouble: Trouble) -> None:
    """Writes it into the history of the connection, where there is one."""
    if session.connection_id is not None:
        reason = f"{trouble.code}: {trouble.sentence} (connect session {session.id})"
        append(db, [Event(session.connection_id, "connect_failed", reason=reason)])


def due_for_advance(db: Db, *, limit: int = 100) -> list[UUID]:
    """Returns the sessions whose answer is held and nobody goes on with, the oldest first."""
    sql = """
        select id from connect_session
        where held_until > refresher_now()
          and held_until < refresher_now() + (:held - :alone) * interval '1 second'
          and (finish <> 'application' or ready_at is null or confirmed_at is not null)
        order by held_until limit :limit
        """
    values = {"held": HELD_SECONDS, "alone": SWEPT_AFTER_SECONDS, "limit": limit}
    return many(db, UUID, sql, **values)


def overdue(db: Db, *, limit: int = 500) -> list[UUID]:
    """Returns the sessions that do not go on by themselves: see `rules/connect_steps.py`, `overtaken`.

    An attempt that was begun in time may end although the time of its session is over.
    """
    sql = """
        select s.id from connect_session s left join api_key k on k.id = s.key_id
        where s.ended_at is null and (
            s.exchange_until <= refresher_now() or s.held_until <= refresher_now()
            or k.revoked_at is not null and s.state = 'open'
            or s.state = 'open' and s.expires_at <= refresher_now() and not exists (
                select 1 from connect_attempt a where a.session_id = s.id
                  and a.spent_at is null and a.expires_at > refresher_now()))
        order by s.id limit :limit
        """
    return many(db, UUID, sql, limit=limit)


def forget_old(db: Db, *, days: float = 30.0, limit: int = 5_000) -> int:
    """Deletes sessions that ended so many days ago; returns how many."""
    sql = """
        delete from connect_session where id in (
            select id from connect_session
            where ended_at < refresher_now() - :days * interval '1 day' limit :limit)
        """
    return run(db, sql, days=days, limit=limit).rowcount


# An attempt that was begun in time may end although the time of its session is over.
_IS_OVER = """
    select expires_at <= refresher_now() and not exists (
        select 1 from connect_attempt a where a.session_id = s.id
          and a.spent_at is null and a.expires_at > refresher_now())
    from connect_session s where id = :id
    """
_ERASED = """
    held = null, held_until = null, exchange_until = null, guard_set = false, ready_at = null,
    confirmed_at = null, finish_code_hash = null, finish_code_until = null,
    problem = cast(:problem as jsonb)
    """
