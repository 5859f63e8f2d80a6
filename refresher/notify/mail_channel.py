"""The story of mail: news become mails, mails leave one by one, and each is told once or said why not.

    1 plan    here, rules/mails.py: who hears of what, at once or in the next digest
    2 digest  here, every few minutes: what has gathered becomes one mail for each recipient
    3 claim   store/mails.py: the mail that is due longest, when the slot is free
    4 ask     rules/notices.py: what is over by now is not told
    5 begin   store/mails.py: takes the slot and marks the mail, in one transaction
    6 send    outbound/: no transaction is open meanwhile
    7 settle  store/mails.py: exactly what was delivered is marked; the rest stays

The row is the authority: messages carry an id and a lease token, and a lost one costs a lease. A worker
that dies between 6 and 7 leaves a mail that may have arrived; its second try has the same Message-ID.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from itertools import chain
from math import isinf
from typing import Literal

import structlog
from uuid_utils.compat import uuid7

from refresher.errors import RedisUnavailable
from refresher.notify import mail_text
from refresher.outbound.mail import Message
from refresher.outbound.mail_templates import Rendered
from refresher.rules import mails as rules
from refresher.rules import notices as still
from refresher.rules import url_template
from refresher.rules.mails import Choice, Deferred, MailDecision, Outcome
from refresher.rules.notices import Fate
from refresher.rules.policy import stable_spread
from refresher.runtime import checkpoints
from refresher.runtime.services import Services
from refresher.settings.mail import sender_address
from refresher.store import mail_news, mail_plan, mails, outbox, recipients
from refresher.store.mail_plan import Planned
from refresher.store.mails import Lease, Letter
from refresher.store.outbox import Entry
from refresher.store.recipients import Recipient
from refresher.store.registration import database_now
from refresher.store.session import Db, retrying

log = structlog.get_logger()
BATCH = 500
IDLE_SECONDS = 1.0
"""How soon to look again when nothing is due."""
Told = Literal["sent", "due", "failed", "stale", "not yet", "over"]
Enqueue = Callable[[Lease], None]


def plan(services: Services) -> int:
    """Makes mails of what is new in the outbox; returns how many entries it read."""
    total, found = 0, BATCH
    while found >= BATCH and not services.stopping.is_set():
        found = retrying(lambda: _plan_batch(services))
        total += found
    return total


def _plan_batch(services: Services) -> int:
    with services.database.transaction() as db:
        entries = outbox.take(db, "mail", limit=BATCH)
        if not entries:
            return 0
        known = recipients.of(db, {e.organization_id for e in entries})
        within = services.settings.digest_interval_seconds
        recent = mail_plan.recent(db, [r.id for r in known], within_seconds=within)
        news: dict[str | None, list[Entry]] = {}
        for entry in entries:
            news.setdefault(entry.organization_id, []).append(entry)
        burst = services.settings.mail_burst
        planned = (
            _planned(who, news.get(who.organization_id, []), recent.get(who.id, 0), burst)
            for who in known
        )
        mail_plan.plan(db, list(chain.from_iterable(planned)))
    return len(entries)


def _planned(who: Recipient, news: list[Entry], recent: int, burst: int) -> list[Planned]:
    """Returns what this recipient is to be told: the first few at once, the others together."""
    wanted = [(entry, rules.choice(who.choices, entry.kind)) for entry in news]
    immediate = [entry.id for entry, how in wanted if how is Choice.IMMEDIATE]
    now = set(immediate[: rules.at_once(len(immediate), recent, burst)])
    return [
        Planned(who.id, entry.id, uuid7() if entry.id in now else None)
        for entry, how in wanted
        if how is not Choice.NONE
    ]


def gather(services: Services) -> int:
    """Makes one digest for each recipient of what has gathered; returns how many."""

    def once() -> int:
        with services.database.transaction() as db:
            waiting = mail_plan.waiting_for_digest(db)
            mail_plan.make_digests(db, [(uuid7(), recipient) for recipient in waiting])
        return len(waiting)

    return retrying(once)


def dispatch(services: Services, enqueue: Enqueue) -> float:
    """Hands the next mail to a worker if one may leave; returns how soon to look again.

    Nothing sleeps until a slot: whoever calls this comes again.
    """
    with services.database.transaction() as db:
        swept = mails.sweep(db)
        lease, wait = mails.claim(db, lease_seconds=services.settings.mail_lease_seconds)
    if swept:
        log.warning("mails whose outcome is unknown are sent again", mails=swept)
    if lease is None:
        return IDLE_SECONDS if wait is None else min(wait, IDLE_SECONDS)
    checkpoints.reach("mail_claimed")
    try:
        enqueue(lease)
    except RedisUnavailable:
        with services.database.transaction() as db:
            mails.release(db, lease)
        raise
    return min(max(services.settings.mail_spacing_seconds, 0.02), IDLE_SECONDS)


def give_back(services: Services) -> int:
    """Makes mails due again that were handed over and not begun; a message that comes is stale."""
    with services.database.transaction() as db:
        return mails.release_unbegun(db)


def deliver(services: Services, lease: Lease) -> Told:
    """Sends one claimed mail and writes what came of it; a stale claim is a no-op.

    What is over by now is not told, and a mail with nothing left to tell is not sent.
    """
    letter, now = services.outlast(lambda _: _load(services, lease))
    if letter is None:
        return "stale"
    if not letter.entries:
        log.info("mail not sent: what it told is over", mail=str(letter.id), form=letter.form)
        return "over"
    message = compose(services, letter, now)
    wait = _begin(services, letter)
    if wait is not None:
        return "stale" if isinf(wait) else "not yet"
    checkpoints.reach("mail_begun")
    outcome = services.mailer.send(message)
    checkpoints.reach("mailed")
    decision = rules.decide(
        outcome,
        attempt=letter.attempt,
        age_seconds=letter.age_seconds,
        pauses=letter.pauses,
        dice=stable_spread(letter.id, letter.lease_token),
    )
    services.outlast(lambda _: _settle(services, letter, decision))
    _tell(letter, outcome, decision)
    return decision.state


def compose(services: Services, letter: Letter, now: datetime) -> Message:
    """Returns the mail in its words; the user's templates cannot keep it from being one."""
    sender = sender_address(services.settings.mail_from)
    unsubscribe = _unsubscribe_url(services, letter)
    values = mail_text.values(
        letter,
        default_reconnect_url=services.settings.reconnect_url,
        titles={p.name: p.title for p in services.catalogue.providers},
    )
    rendered: Rendered = services.renderer.render(
        letter.form, {**values, "unsubscribe_url": unsubscribe}
    )
    return Message(
        id=letter.id,
        sender=sender,
        to=letter.address,
        subject=rendered.subject,
        text=rendered.text,
        html=rendered.html,
        date=now.astimezone(UTC),
        headers=(("List-Unsubscribe", f"<{unsubscribe}>"),),
    )


def _unsubscribe_url(services: Services, letter: Letter) -> str:
    """Returns the application's page, or a mail to us with the recipient's id (RFC 2369)."""
    template = services.settings.mail_unsubscribe_url
    known = {"recipient_id": letter.recipient_id, "organization_id": letter.organization_id}
    if template:
        return url_template.fill(template, known)
    address = sender_address(services.settings.mail_from).addr_spec
    return f"mailto:{address}?subject=unsubscribe%20{letter.recipient_id}"


def _load(services: Services, lease: Lease) -> tuple[Letter | None, datetime]:
    with services.database.transaction() as db:
        letter = mails.load(db, lease.mail_id, lease.lease_token)
        return letter and _asked_again(db, letter), database_now(db)


def _asked_again(db: Db, letter: Letter) -> Letter:
    """Returns the letter with what is still so; one with nothing left is deleted."""
    fates = still.fates(mail_news.now(db, letter.id))
    chosen = {fate: [id_ for id_, its in fates.items() if its is fate] for fate in Fate}
    mail_news.take_out(db, letter.id, hold=chosen[Fate.HOLD], drop=chosen[Fate.DROP])
    if not chosen[Fate.TELL]:
        mail_news.delete(db, letter.id, letter.lease_token)
    left = tuple(entry for entry in letter.entries if fates.get(entry.id) is Fate.TELL)
    return replace(letter, entries=left)


def _begin(services: Services, letter: Letter) -> float | None:
    with services.database.transaction() as db:
        wait = mails.begin(db, letter, spacing_seconds=services.settings.mail_spacing_seconds)
        if wait is not None and not isinf(wait):
            _give_back(db, letter, wait)
    return wait


def _give_back(db: Db, letter: Letter, wait: float) -> None:
    mails.release(db, Lease(letter.id, letter.lease_token, letter.form), due_in_seconds=wait)


def _settle(services: Services, letter: Letter, decision: MailDecision) -> bool:
    with services.database.transaction() as db:
        return mails.settle(db, letter, decision)


def _tell(letter: Letter, outcome: Outcome, decision: MailDecision) -> None:
    told = Counter(entry.kind for entry in letter.entries)
    if decision.state == "sent":
        log.info("mail sent", mail=str(letter.id), form=letter.form, notices=told.total())
        return
    log.warning(
        "mail deferred" if isinstance(outcome, Deferred) else f"mail {decision.state}",
        mail=str(letter.id),
        reason=decision.reason,
        attempt=decision.attempt,
    )
