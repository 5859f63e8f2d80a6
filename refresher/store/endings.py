"""Ends grants, and tells why: in one word, in the provider's words, or by an answer that is kept.

A part of `settlement.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import UUID

from refresher.rules.connection import ParkReason
from refresher.rules.notices import NewsState
from refresher.store import answers, notices
from refresher.store.session import Db, many

if TYPE_CHECKING:
    from refresher.store.settlement import Settlement

_DEAD = NewsState.RECONNECT_REQUIRED


def is_held(s: Settlement, written: set[UUID]) -> bool:
    """Whether a row waits, as was meant, for its answer to be read."""
    return s.park_reason == ParkReason.UNREAD_ANSWER and s.id in written


def naming_answers(db: Db, todo: list[Settlement]) -> list[Settlement]:
    """Returns the settlements; a grant that ends after an answer that was not read names that."""
    dead = [s.id for s in todo if s.dead]
    kept = answers.unread(db, dead) if dead else {}
    return [_naming(s, kept[s.id]) if s.dead and s.id in kept else s for s in todo]


def _naming(s: Settlement, answer_id: UUID) -> Settlement:
    cause = f"unread_answer {answer_id}"
    words = s.detail or s.reason
    return replace(s, cause=cause, reason=f"{cause}: {words}" if words else cause)


def notice(s: Settlement) -> notices.Change:
    """Returns what is told of a grant that ended."""
    words = {"detail": s.detail} if s.detail else {}
    return notices.connection_is(s.id, _DEAD, cause=s.cause or s.reason, **words)


def end_grants(db: Db, dead: Sequence[Settlement]) -> set[UUID]:
    """Ends the grants whose pair is still the one that was refused; returns whose they were."""
    if not dead:
        return set()
    sql = """
        update connection c set status = 'reconnect_required', status_cause = u.cause,
                                trouble = 'reconnect_required', updated_at = refresher_now()
        from unnest(cast(:ids as uuid[]), cast(:versions as bigint[]), cast(:causes as text[]))
                 u(id, version, cause)
        where c.id = u.id and c.credential_version = u.version
        returning c.id
        """
    return set(
        many(
            db,
            UUID,
            sql,
            ids=[s.id for s in dead],
            versions=[s.row.connection.credential_version for s in dead],
            causes=[s.cause or s.reason for s in dead],
        )
    )
