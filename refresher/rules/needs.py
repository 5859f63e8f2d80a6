"""Decides what needs a person, from bounded counts. Pure.

What heals itself is none: a provider that is left alone, a rate limit, a refresh that is tried again,
a process that others make up for. What somebody did on purpose is none either.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal

from refresher.rules.connection import ParkReason
from refresher.rules.need_facts import (
    AilingProcess,
    DisabledEndpoint,
    Group,
    MailTrouble,
    NeedFacts,
    RefusedApp,
)
from refresher.rules.reasons import page_of
from refresher.rules.words import amount, capital, many, span

"""A count of so many means "more than 10,000"."""
Words = tuple[str | datetime, ...]
"""A text; the instants in it are shown in the zone of whoever reads."""


class NeedKind(StrEnum):
    """What somebody has to see to, the worst first."""

    PROCESS_MISSING = "process_missing"
    APP_REFUSED = "app_refused"
    APP_MISSING = "app_missing"
    PROVIDER_UNKNOWN = "provider_unknown"
    UNREAD = "unread"
    BLOCKED = "blocked"
    RECONNECT = "reconnect"
    JOB_FAILING = "job_failing"
    PROCESS_FROZEN = "process_frozen"
    MAIL = "mail"
    WEBHOOK_DISABLED = "webhook_disabled"
    ENTRY_BROKEN = "entry_broken"


@dataclass(frozen=True, slots=True)
class Need:
    """One thing that somebody has to see to, and where.

    `counted` are the places of the left column that show it, each with its number.
    """

    kind: NeedKind
    title: str
    words: Words
    tone: Literal["bad", "warn"]
    link: str
    go: str
    counted: Mapping[str, int]


NO_BLOCK = frozenset(
    {
        *(ParkReason.MISSING, ParkReason.DELETED, ParkReason.DISABLED, ParkReason.PAUSED),
        *(ParkReason.MID_OAUTH, ParkReason.RECONNECT_REQUIRED),
    }
)
"""Reasons that are nobody's fault of ours, or are told by themselves."""
WHY_BLOCKED: Mapping[str, str] = {
    ParkReason.NO_EXPIRY: "nobody tells when their access token ends",
    ParkReason.NOTHING_TO_REFRESH_WITH: "no token to refresh with is stored",
    ParkReason.UNKNOWN_PROVIDER: "their provider has no entry, or a wrong one",
    ParkReason.APP_NOT_CONFIGURED: "no app is stored for their provider",
    ParkReason.UNDECRYPTABLE: "no key opens their tokens",
    ParkReason.UNBUILDABLE_REQUEST: "no request can be made from what is stored",
    ParkReason.UNREAD_ANSWER: "their provider answered and we could not read it",
    ParkReason.LOST_ANSWER: "an answer was lost, and nothing is sent there twice",
    ParkReason.CRASH_LOOP: "refreshing them ended its process again and again",
    ParkReason.UNSTORED: "PostgreSQL refuses what their provider answered",
}


def needs(facts: NeedFacts) -> tuple[Need, ...]:
    """Returns what needs a person, the worst first."""
    found = [
        *map(_missing_process, facts.missing_roles),
        *map(_refused, facts.refused),
        *_by_provider(facts),
        *_blocked(facts),
        *_reconnect(facts),
        *map(_ailing, facts.ailing),
        *_mail(facts.mail),
        *_endpoints(facts.endpoints),
        *_broken(facts.broken),
    ]
    order = list(NeedKind)
    return tuple(sorted(found, key=lambda need: order.index(need.kind)))


def counted(found: Sequence[Need]) -> dict[str, int]:
    """Returns the numbers of the left column: nothing where nothing needs a person."""
    numbers: dict[str, int] = {}
    for need in found:
        for section, number in need.counted.items():
            numbers[section] = numbers.get(section, 0) + number
    return numbers


def plain(words: Words) -> str:
    """Returns a text with its instants in UTC."""
    return "".join(part if isinstance(part, str) else f"{part:%H:%M}" for part in words)


def _missing_process(role: str) -> Need:
    return Need(
        NeedKind.PROCESS_MISSING,
        f"No {role} is running",
        (f"Connections wait to be refreshed. Start one: python -m refresher.{role}",),
        "bad", "/ui/doctor", "Look closer", {"doctor": 1},
    )  # fmt: skip


def _refused(app: RefusedApp) -> Need:
    whose = f", for {app.organization_id}" if app.organization_id else ""
    words: list[str | datetime] = [f"{app.reason} since ", app.since, ". "]
    waiting = capital(amount(app.waiting, "connection waits", "connections wait"))
    words.append(f"{waiting} for it" if app.waiting else "No connection waits for it yet")
    if app.ended:
        words.append(f"; {app.ended:,} of their tokens {_have(app.ended)} ended")
    if app.first_ends_at:
        words += ["; the next" if app.ended else "; the first", " of their tokens ends at "]
        words.append(app.first_ends_at)
    return Need(
        NeedKind.APP_REFUSED,
        f"{app.title} refuses our app {app.provider}/{app.app}{whose}",
        (*words, "."), "bad", page_of("apps", app.provider, app.app), "Put it right",
        {"providers": 1, "apps": 1},
    )  # fmt: skip


def _by_provider(facts: NeedFacts) -> Iterator[Need]:
    for one in facts.by_provider.get(ParkReason.APP_NOT_CONFIGURED, ()):
        title = f"No app {one.provider}/{one.app} is stored for {one.title}"
        link = page_of("apps", one.provider, one.app)
        yield _of(NeedKind.APP_MISSING, one, title, "They go on once it is", link, "apps")
    for one in facts.by_provider.get(ParkReason.UNKNOWN_PROVIDER, ()):
        title = f"{one.title} has no entry in the catalogue, or a wrong one"
        words = "They go on once the providers file has it"
        yield _of(NeedKind.PROVIDER_UNKNOWN, one, title, words, "/ui/doctor", "providers")
    for one in facts.by_provider.get(ParkReason.UNREAD_ANSWER, ()):
        title = f"{one.title} answered and we could not read it"
        words = "Their refresh tokens may be spent; the answers are kept, sealed"
        yield _of(
            NeedKind.UNREAD, one, title, words, page_of("providers", one.provider), "providers"
        )


def _of(kind: NeedKind, one: Group, title: str, words: str, link: str, section: str) -> Need:
    wait = f"{amount(one.number, 'connection waits', 'connections wait')}. "
    return Need(kind, title, (wait, words, "."), "bad", link, "Put it right", {section: 1})


def _blocked(facts: NeedFacts) -> Iterator[Need]:
    for reason, number in sorted(facts.parked.items()):
        if number and reason not in NO_BLOCK and not facts.by_provider.get(reason):
            why = WHY_BLOCKED.get(reason, reason)
            yield Need(
                NeedKind.BLOCKED,
                amount(number, "connection is blocked", "connections are blocked"),
                (f"{capital(why)}.",),
                "bad", _connections("blocked", facts), "Show them", {"connections": number},
            )  # fmt: skip


def _reconnect(facts: NeedFacts) -> Iterator[Need]:
    number = facts.parked.get(ParkReason.RECONNECT_REQUIRED, 0)
    if number:
        have = "connection has", "connections have"
        yield Need(
            NeedKind.RECONNECT,
            f"{amount(number, *have)} to be connected again",
            (*_where(facts, number), _untold(facts.untold, number)),
            "bad", _connections("reconnect_required", facts), "Show them", {"connections": number},
        )  # fmt: skip


def _where(facts: NeedFacts, number: int) -> Iterator[str | datetime]:
    """Yields the provider with the most of them, and when it was told so last."""
    groups = facts.by_provider.get(ParkReason.RECONNECT_REQUIRED, ())
    if not groups:
        return
    first = max(groups, key=lambda one: one.number)
    yield f"{first.number:,} at {first.title}"
    if first.latest_at:
        yield ", the last one at "
        yield first.latest_at
    rest = min(number, sum(one.number for one in groups)) - first.number
    yield f", {rest:,} at others. " if rest > 0 else ". "


def _untold(untold: int, number: int) -> str:
    if not untold:
        return "Whoever hears of it was told." if number == 1 else "Their owners were told."
    if untold >= number:
        return "Nobody hears of it: there is no recipient."
    return f"Their owners were told; {untold:,} {'has' if untold == 1 else 'have'} no recipient."


def _ailing(process: AilingProcess) -> Need:
    name = f"The {process.role} on {process.host}"
    if process.job is not None:
        kind, title = NeedKind.JOB_FAILING, f"A job of the {process.role} fails again and again"
        words = f"{name} (process {process.process_id}), {process.job}: {process.reason}"
    else:
        kind, title = NeedKind.PROCESS_FROZEN, f"{name} gives no sign of life"
        words = f"Process {process.process_id} was last seen {span(process.silent_seconds)} ago"
        words += "; see whether it is suspended, and restart it."
    return Need(kind, title, (words,), "warn", "/ui/doctor", "Look closer", {"doctor": 1})


def _mail(mail: MailTrouble) -> Iterator[Need]:
    def need(title: str, words: str) -> Need:
        shown = "/ui/recipients", "Show them", {"recipients": 1}
        return Need(NeedKind.MAIL, title, (words,), "warn", *shown)

    if mail.stopped:
        yield need("No mail goes out", f"{mail.stopped}. Mails wait until that is mended.")
    if mail.given_up:
        title = amount(mail.given_up, "mail was given up", "mails were given up")
        yield need(title, f"The last one: {mail.last_reason or 'for an unknown reason'}.")
    if mail.refused_addresses:
        have = "recipient has a refused address", "recipients have a refused address"
        yield need(
            amount(mail.refused_addresses, *have), "They hear of nothing until it is mended."
        )


def _endpoints(endpoints: Sequence[DisabledEndpoint]) -> Iterator[Need]:
    if not endpoints:
        return
    first, held = endpoints[0], sum(one.held for one in endpoints)
    kept = f"{amount(held, 'message is', 'messages are')} held for "
    if len(endpoints) == 1:
        title, link = "A webhook endpoint is disabled", page_of("webhooks", first.id)
        words = f"{first.host}: {first.reason}. {kept}it."
    else:
        title, link = f"{len(endpoints)} webhook endpoints are disabled", "/ui/webhooks"
        words = f"{first.host} is one: {first.reason}. {kept}them."
    go, number = "Open it" if len(endpoints) == 1 else "Show them", {"webhooks": len(endpoints)}
    yield Need(NeedKind.WEBHOOK_DISABLED, title, (words,), "warn", link, go, number)


def _broken(names: Sequence[str]) -> Iterator[Need]:
    if names:
        title = f"{many(len(names), 'entry', 'entries')} of the catalogue cannot be used"
        words = f"{', '.join(names[:3])}{' …' if len(names) > 3 else ''}: nothing of it counts."
        number = {"providers": len(names)}
        yield Need(NeedKind.ENTRY_BROKEN, title, (words,), "warn", "/ui/doctor", "See why", number)


def _have(number: int) -> str:
    return "has" if number == 1 else "have"


def _connections(health: str, facts: NeedFacts) -> str:
    return page_of("connections", health=health, organization=facts.organization_id)
