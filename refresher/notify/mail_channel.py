"""Mail as a channel of the delivery engine: each is told once, or said why not; one mail at a time.

    plan     rules/mails.py says who hears of what, at once or in the next digest
    gather   every few minutes what has gathered becomes one mail for each recipient
    claim    the mail that is due longest, by turns of the organizations, when the slot is free
    begin    rules/notices.py: what is over by now is not told; then it takes the slot
    settle   exactly what was delivered is marked; the rest stays

A mail that goes again has the same Message-ID.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import chain
from uuid import UUID

import structlog
from uuid_utils.compat import uuid7

from refresher.notify import mail_links, mail_text
from refresher.notify.delivery import BATCH, Channel
from refresher.notify.mail_text import WayBack
from refresher.outbound.mail import Message
from refresher.outbound.mail_templates import Rendered
from refresher.rules import addresses
from refresher.rules import mails as rules
from refresher.rules import notices as still
from refresher.rules.addresses import sender_address
from refresher.rules.mails import Choice, Deferred, MailDecision, MailOutcome
from refresher.rules.notices import Fate, Kind
from refresher.rules.policy import stable_spread
from refresher.runtime.services import Services
from refresher.store import leases, mail_entries, mails, outbox, recipients
from refresher.store.leases import Claimed, Lease
from refresher.store.mail_entries import Planned
from refresher.store.mails import Form, LeasedMail
from refresher.store.outbox import OutboxEntry
from refresher.store.recipients import Recipient
from refresher.store.session import Db

log = structlog.get_logger()
KEEP_DAYS = 30.0
"""How long mails are kept that were sent."""
Leaving = tuple[LeasedMail, Message]


def _plan(services: Services, db: Db) -> int:
    entries = outbox.take(db, "mail", limit=BATCH)
    if not entries:
        return 0
    known = recipients.of(db, {e.organization_id for e in entries})
    within = services.settings.digest_interval_seconds
    recent = mail_entries.recent(db, [r.id for r in known], within_seconds=within)
    news: dict[str | None, list[OutboxEntry]] = {}
    for entry in entries:
        news.setdefault(entry.organization_id, []).append(entry)
    burst = services.settings.mail_burst
    planned = (
        _planned(who, news.get(who.organization_id, []), recent.get(who.id, 0), burst)
        for who in known
    )
    mail_entries.plan(db, list(chain.from_iterable(planned)))
    return len(entries)


def _planned(who: Recipient, news: list[OutboxEntry], recent: int, burst: int) -> list[Planned]:
    """Returns what this recipient is to be told: the first few at once, the others together."""
    wanted = [(entry, rules.choice(who.choices, entry.kind, entry.payload)) for entry in news]
    immediate = [entry.id for entry, how in wanted if how is Choice.IMMEDIATE]
    now = set(immediate[: rules.at_once(len(immediate), recent, burst)])
    return [
        Planned(who.id, entry.id, uuid7() if entry.id in now else None)
        for entry, how in wanted
        if how is not Choice.NONE
    ]


def _claim(services: Services, db: Db) -> Claimed:
    settings = services.settings
    return mails.claim(
        db,
        lease_seconds=settings.mail_lease_seconds,
        spacing_seconds=settings.mail_spacing_seconds,
    )


def _begin(services: Services, db: Db, held: Sequence[Lease]) -> tuple[list[Leaving], Counter[str]]:
    begun: list[Leaving] = []
    tally: Counter[str] = Counter()
    for lease in held:
        told = _begun(services, db, lease)
        if isinstance(told, str):
            tally[told] += 1
        else:
            begun.append(told)
    return begun, tally


def _begun(services: Services, db: Db, lease: Lease) -> Leaving | str:
    """Returns a mail that may leave now, or why not; one with nothing left to tell is deleted."""
    loaded = mails.load(db, lease)
    if loaded is None:
        return "stale"
    mail, now = _asked_again(db, loaded[0]), loaded[1]
    if not mail.entries:
        mails.delete(db, mail)
        log.info("mail not sent: what it told is over", mail=str(mail.id), form=mail.form)
        return "over"
    template = mail_text.reconnect_template(mail, services.settings.reconnect_url)
    way_back = template or mail_links.links(services, db, mail)
    message = compose(services, mail, now, way_back)
    wait = mails.begin(db, mail, spacing_seconds=services.settings.mail_spacing_seconds)
    if wait > 0:
        leases.release(db, "mail", [lease], due_in_seconds=wait)
        return "not yet"
    return mail, message


def _asked_again(db: Db, mail: LeasedMail) -> LeasedMail:
    """Returns the mail with what is still so."""
    fates = still.fates(mail_entries.news_now(db, mail.id))
    chosen = {fate: [id_ for id_, its in fates.items() if its is fate] for fate in Fate}
    mail_entries.take_out(db, mail.id, hold=chosen[Fate.HOLD], drop=chosen[Fate.DROP])
    left = tuple(entry for entry in mail.entries if fates.get(entry.id) is Fate.TELL)
    return replace(mail, entries=left)


def _titles(services: Services, mail: LeasedMail) -> dict[str, str]:
    """Returns what the providers of a mail are called."""
    named = {str(entry.payload.get("provider")) for entry in mail.entries}
    return {one.name: one.title for one in services.catalogue.those(named)}


def compose(services: Services, mail: LeasedMail, now: datetime, way_back: WayBack) -> Message:
    """Returns the mail in its words; the user's templates cannot keep it from being one."""
    sender = sender_address(services.settings.mail_from)
    unsubscribe = _unsubscribe_url(services, mail)
    values = mail_text.values(mail, way_back, _titles(services, mail))
    rendered: Rendered = services.renderer.render(
        mail.form, {**values, "unsubscribe_url": unsubscribe}
    )
    return Message(
        id=mail.id,
        sender=sender,
        to=mail.address,
        subject=rendered.subject,
        text=rendered.text,
        html=rendered.html,
        date=now.astimezone(UTC),
        headers=(("List-Unsubscribe", f"<{unsubscribe}>"),),
    )


def _unsubscribe_url(services: Services, mail: LeasedMail) -> str:
    """Returns the application's page, or a mail to us with the recipient's id (RFC 2369)."""
    template = services.settings.mail_unsubscribe_url
    known = {"recipient_id": mail.recipient_id, "organization_id": mail.organization_id}
    if template:
        return addresses.fill(template, known)
    address = sender_address(services.settings.mail_from).addr_spec
    return f"mailto:{address}?subject=unsubscribe%20{mail.recipient_id}"


def _send(
    services: Services, begun: Sequence[Leaving]
) -> Iterator[list[tuple[Leaving, MailOutcome]]]:
    for each in begun:
        yield [(each, services.mailer.send(each[1]))]


def _settle(
    _services: Services, db: Db, answers: Sequence[tuple[Leaving, MailOutcome]]
) -> Counter[str]:
    tally: Counter[str] = Counter()
    for (mail, _), outcome in answers:
        decision = rules.decide(
            outcome,
            attempt=mail.attempt,
            age_seconds=mail.age_seconds,
            pauses=mail.pauses,
            dice=stable_spread(mail.id, mail.lease_token),
        )
        mails.settle(db, mail, decision)
        _tell(mail, outcome, decision)
        tally[decision.state] += 1
    return tally


def _tell(mail: LeasedMail, outcome: MailOutcome, decision: MailDecision) -> None:
    told = Counter(entry.kind for entry in mail.entries)
    if decision.state == "sent":
        log.info("mail sent", mail=str(mail.id), form=mail.form, notices=told.total())
        return
    log.warning(
        "mail deferred" if isinstance(outcome, Deferred) else f"mail {decision.state}",
        mail=str(mail.id),
        reason=decision.reason,
        attempt=decision.attempt,
    )


def samples() -> dict[str, dict[str, object]]:
    """Returns values of each form, with which the user's templates can be tried before a mail is."""
    at = datetime(2030, 1, 2, 3, 4, tzinfo=UTC)
    facts = {
        "provider": "google",
        "external_id": "1042",
        "name": "Ann's calendar",
        "app": "google/default",
        "cause": "invalid_grant",
        "answer_id": str(UUID(int=5)),
        "refresh_token_expires_at": at.isoformat(),
    }
    told = tuple(
        OutboxEntry(UUID(int=n), "org-1", UUID(int=1), None, n, kind, {**facts}, at)
        for n, kind in enumerate(Kind, start=1)
    )

    def letter(form: Form, entries: tuple[OutboxEntry, ...]) -> LeasedMail:
        return LeasedMail(
            UUID(int=9), 1, form, 0, 0.0, 0, UUID(int=8), "ann@example.com", "org-1", "Acme", None,
            entries,
        )  # fmt: skip

    def made(form: Form, entries: tuple[OutboxEntry, ...]) -> dict[str, object]:
        link = "https://app.example/connections/{external_id}/reconnect"
        words = mail_text.values(letter(form, entries), link)
        return {**words, "unsubscribe_url": "https://app.example/unsubscribe"}

    return {"plain": made("plain", told[:1]), "digest": made("digest", told)}


MAIL = Channel(
    name="mail",
    flow="notification_email",
    table="mail",
    points=("mail_claimed", "mail_begun", "mailed"),
    plan=_plan,
    claim=_claim,
    begin=_begin,
    send=_send,
    settle=_settle,
    sweep=lambda _services, db: mails.sweep(db),
    tidy=lambda _services, db: mails.forget_old(db, days=KEEP_DAYS),
    gather=mail_entries.make_digests,
)
