"""Reads kept answers again, through today's catalogue, and stores what they grant.

An answer can be read when the providers file tells by now what its fields are called, or when a later
version of refresher knows how. Its lives count from when it came. A pair whose connection has moved on
meanwhile goes into quarantine, like any that comes late.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from uuid import UUID

from refresher.errors import RefresherError
from refresher.refresh.attempt import Attempt, as_settlement
from refresher.refresh.spool_entries import aged
from refresher.rules.access import Actor
from refresher.rules.bodies import text_of
from refresher.rules.connection import Claim
from refresher.rules.outcomes import Reply
from refresher.rules.unread import outlined
from refresher.runtime.services import Services
from refresher.store import answers, audit, registration
from refresher.store.answers import AnswerView, AnswerWithBody, KeptAnswer
from refresher.store.audit import AuditEntry
from refresher.store.reload import Reloaded, remembered
from refresher.store.session import Db, retrying
from refresher.store.settlement import Settlement, settle

KIND = "reread"
"""The kind of the event that such a pair leaves."""


class NoSuchAnswer(RefresherError):
    """No answer is kept under this id."""

    exit_code = 2


class How(StrEnum):
    """What became of an answer that was read again."""

    STORED = "stored"
    QUARANTINED = "quarantined"
    STILL_UNREAD = "still_unread"
    READ_BEFORE = "read_before"


@dataclass(frozen=True, slots=True)
class Reread:
    """What came of one answer; `reason` says why it is still unread."""

    id: UUID
    connection_id: UUID
    outcome: How
    reason: str | None = None


def find(services: Services, answer_id: UUID, by: Actor) -> AnswerView:
    """Returns one kept answer of the actor's organization; raises `NoSuchAnswer`."""
    with services.database.transaction() as db:
        found = answers.show(db, answer_id, by.organization_id)
    if found is None:
        raise NoSuchAnswer("no answer is kept under this id")
    return found


def outline(services: Services, view: AnswerView) -> list[str]:
    """Returns what stands in an answer by name and size only; empty where it was read already."""
    with services.database.transaction() as db:
        taken = answers.take(db, view.id)
    if taken is None:
        return []
    reply = _reply(services, taken.answer)
    return outlined(text_of(reply.body, reply.headers))


def reread(services: Services, answer_id: UUID, by: Actor) -> Reread:
    """Reads one kept answer again; raises `NoSuchAnswer`, `UnknownProvider` or `CannotDecrypt`."""
    view = find(services, answer_id, by)
    return retrying(lambda: _reread(services, view, by))


def reread_provider(services: Services, provider: str, by: Actor) -> list[Reread]:
    """Reads all answers of a provider again that are not read yet; the oldest first."""
    services.catalogue[provider]
    waiting: list[UUID] = []
    after: UUID | None = None
    while page := _page(services, provider, by, after):
        waiting += [view.id for view in page]
        after = page[-1].id
    return [reread(services, id_, by) for id_ in reversed(waiting)]


def _page(services: Services, provider: str, by: Actor, after: UUID | None) -> Sequence[AnswerView]:
    with services.database.transaction() as db:
        return answers.page(
            db, by.organization_id, provider=provider, unread_only=True, after=after, limit=500
        )


def _reread(services: Services, view: AnswerView, by: Actor) -> Reread:
    with services.database.transaction() as db:
        taken = answers.take(db, view.id)
        if taken is None:
            return Reread(view.id, view.connection_id, How.READ_BEFORE)
        made = _settlement(services, db, taken)
        if made.new is None:
            return Reread(view.id, view.connection_id, How.STILL_UNREAD, made.reason or made.kind)
        settled = settle(db, [made], lead_share=services.policy.lead_share)
        answers.mark_read(db, view.id)
        subject = f"answer:{view.id}"
        audit.append(
            db,
            [
                AuditEntry(
                    by.id,
                    "answer_reread",
                    view.organization_id,
                    view.connection_id,
                    by.about(subject),
                )
            ],
        )
        how = How.QUARANTINED if settled.fenced else How.STORED
        return Reread(view.id, view.connection_id, how)


def _settlement(services: Services, db: Db, taken: AnswerWithBody) -> Settlement:
    """Returns what is to be written, as it would have been when the answer came, and aged since."""
    kept, now = taken.answer, registration.database_now(db)
    attempt = Attempt(_row(taken), services.catalogue[taken.provider], time.monotonic())
    reply = _reply(services, kept)
    made = as_settlement(services.cipher, services.policy, attempt, reply)
    again = replace(made, kind=KIND, kept=None, fault=None, begun_at=None, recorded=None)
    return aged(again, (now - kept.received_at).total_seconds()) if made.new else made


def _reply(services: Services, kept: KeptAnswer) -> Reply:
    assert kept.body is not None
    body = services.cipher.open(kept.body, kept.connection_id, answers.PLACE).reveal()
    headers = {"content-type": kept.content_type, "content-encoding": kept.content_encoding}
    return Reply(kept.http_status, headers, body.encode("latin-1"), kept.failure)


def _row(taken: AnswerWithBody) -> Reloaded:
    """Returns as much of the row as reading and the fences need, as of when the answer came."""
    kept = taken.answer
    return remembered(
        Claim(kept.connection_id, kept.lease_token),
        credential_version=kept.credential_version,
        grant_number=kept.grant_number,
        now=kept.received_at,
        provider=taken.provider,
        lifetime_seconds=taken.lifetime_seconds,
    )
