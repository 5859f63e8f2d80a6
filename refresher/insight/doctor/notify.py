"""Checks mail and webhooks: whether they go out, to whom they do not, and which were given up."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime

from refresher.insight.doctor import Finding, ok, warn
from refresher.notify import mail_channel, mail_links
from refresher.outbound.mail_templates import Renderer
from refresher.rules.mails import NO_STARTTLS
from refresher.rules.reasons import page_of
from refresher.rules.words import MOST_COUNTED, counted, distance, many, span
from refresher.settings import Settings, variable
from refresher.store import mails, recipients, webhooks
from refresher.store.mails import MailStanding
from refresher.store.session import Database
from refresher.store.webhooks import EndpointView

LATE_SECONDS = 600.0


def check_mail(
    settings: Settings, database: Database, foreign: Collection[str] = ()
) -> Iterator[Finding]:
    """Yields findings on mail; nothing at all where nobody is to be told.

    `foreign` are variables that have another value where the work is done: what they are here tells
    nothing about the mails that go out there.
    """
    with database.transaction() as db:
        told = recipients.told(db)
        blocked = recipients.blocked(db, limit=MOST_COUNTED)
        standing = mails.standing(db)
    if not told.known:
        yield ok("mail", "nobody is told by mail (`refresher recipients add` changes that)")
        return
    if not any(name.startswith(variable("mail_")) for name in foreign):
        yield from _templates(settings)
        yield from _transport(settings, told.known)
    yield from _passage(standing)
    yield from _refused([r.address for r in blocked])
    name = variable("reconnect_url")
    if settings.reconnect_url is None and name not in foreign and not told.has_page:
        if mail_links.are_made(settings):
            yield ok("mail", "messages reconnect by links of ours, where the account is known")
        else:
            mend = f"set {name}, or `refresher organizations set ID --reconnect-url`"
            yield warn("mail", "messages have no link to reconnect", mend)
    if not standing.reason:
        waiting = many(standing.due + standing.under_way, "mail")
        yield ok("mail", f"{counted(told.known, 'recipient')}; {waiting} to send")


def _transport(settings: Settings, known: int) -> Iterator[Finding]:
    if not settings.notification_email.enabled:
        name = variable("notification_email.enabled")
        yield warn("mail", f"{name} is false, and people wait to be told", f"set {name} to true")
    if settings.mail_transport == "console":
        message = f"mails to {counted(known, 'recipient')} are only printed"
        yield warn("mail", message, f"set {variable('mail_transport')} to smtp or http")


def _refused(addresses: Sequence[str]) -> Iterator[Finding]:
    if addresses:
        shown = ", ".join(addresses[:3]) + (" …" if len(addresses) > 3 else "")
        were = "address was" if len(addresses) == 1 else "addresses were"
        yield warn(
            "mail",
            f"{counted(len(addresses))} {were} refused: {shown}",
            "`refresher recipients list` tells why; remove or add them again",
            page_of("recipients"),
        )


def _passage(standing: MailStanding) -> Iterator[Finding]:
    """Yields whether mails go out, and which were given up."""
    if standing.reason:
        yield warn("mail", f"no mail goes out: {standing.reason}", _mend(standing.reason))
    late = standing.oldest_due_seconds or 0.0
    if late > LATE_SECONDS and not standing.reason:
        yield warn("mail", f"a mail waits since {span(late)}", "look whether a scheduler runs")
    if standing.failed:
        yield warn(
            "mail",
            f"mails that were given up: {standing.failed}, the last one: {standing.last_failure}",
            "`refresher recipients add` with the same address sends them again",
        )


def _mend(reason: str) -> str:
    """Returns what to do about a reason for which no mail goes out at all."""
    url = variable("mail_smtp_url")
    if NO_STARTTLS in reason:
        return (
            f"use smtps:// in {url}; or, for a server near by that offers no TLS, add "
            "?starttls=never (or auto) to it"
        )
    if reason.startswith(("535", "530")):
        return f"put user and password in {url} right"
    return f"put the mail server's settings right: `refresher settings` shows {url}"


def _templates(settings: Settings) -> Iterator[Finding]:
    faults = Renderer(settings.mail_templates).faults(mail_channel.samples())
    for fault in faults:
        yield warn(
            "mail templates",
            f"{fault.template} does not render: {fault.why}",
            "mend it; until then the built-in one is used",
        )


MOST_TOLD = 20
"""So many endpoints are told one by one."""


def check_webhooks(settings: Settings, database: Database) -> Iterator[Finding]:
    """Yields findings on webhooks; nothing at all where nobody is told by webhook."""
    with database.transaction() as db:
        found = webhooks.every(db)
    if not found:
        return
    if not settings.webhook_delivery.enabled:
        name = variable("webhook_delivery.enabled")
        yield warn("webhooks", f"{name} is false: no webhook is sent", f"set {name} to true")
    now = datetime.now(UTC)
    ailing = [told for view in found if (told := _told(view, now)) is not None]
    yield from ailing[:MOST_TOLD]
    if len(ailing) > MOST_TOLD:
        more = f"endpoints that are disabled or failing beside these: {len(ailing) - MOST_TOLD}"
        yield warn("webhooks", more, "`refresher webhooks list` shows all", page_of("webhooks"))
    waiting = sum(view.waiting for view in found)
    yield ok("webhooks", f"{many(len(found), 'endpoint')}; {counted(waiting, 'message')} to send")


def _told(view: EndpointView, now: datetime) -> Finding | None:
    page = page_of("webhooks", view.id)
    if view.disabled_at:
        return warn(
            "webhooks",
            f"{view.url} is disabled: {view.disabled_reason}; messages held: {counted(view.held)}",
            f"see to it, then `refresher webhooks enable {view.id}`",
            page,
        )
    if view.failing_since:
        return warn(
            "webhooks",
            f"{view.url} fails since {distance(view.failing_since, now)}; "
            f"messages that wait: {counted(view.waiting)}",
            f"`refresher webhooks deliveries {view.id}` tells why",
            page,
        )
    if view.failed:
        return warn(
            "webhooks",
            f"messages to {view.url} that were given up: {counted(view.failed)}",
            f"`refresher webhooks replay {view.id} --failed` sends them again",
            page,
        )
    return None
