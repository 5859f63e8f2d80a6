"""Who was told of a connection, and who did what to it, as items of a list. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from itertools import groupby
from typing import assert_never
from urllib.parse import urlsplit
from uuid import UUID

from refresher.rules.event_words import done
from refresher.rules.reasons import Instants
from refresher.rules.standing_word import Tone
from refresher.rules.words import many
from refresher.store.audit import PastAuditEntry
from refresher.store.told import Mails, Message, Told

MOST_DEEDS = 10


@dataclass(frozen=True, slots=True)
class Item:
    """One item: who was told, or who did something. `endpoint_id`: the page that tells more."""

    title: str
    words: str
    tone: Tone
    shape: str
    endpoint_id: UUID | None = None


def told(found: Sequence[Told], clock: Instants) -> list[Item]:
    """Returns who was told, the newest notice first."""
    items: list[Item] = []
    for one in found:
        of_one = [_mails(mails, clock) for mails in one.mails]
        of_one += [_message(one.notice.kind, message, clock) for message in one.messages]
        at = clock(one.notice.occurred_at)
        nobody = Item(one.notice.kind, f"{at}: nobody is there to be told", "still", "ring")
        items += of_one or [nobody]
    return items


def deeds(
    entries: Sequence[PastAuditEntry], names: Mapping[str, str], clock: Instants, zone: tzinfo
) -> list[Item]:
    """Returns who did what, the newest first; what one did again and again in a day is one item."""
    return list(_deeds(entries, names, clock, zone))[:MOST_DEEDS]


def _deeds(
    entries: Sequence[PastAuditEntry], names: Mapping[str, str], clock: Instants, zone: tzinfo
) -> Iterator[Item]:
    def alike(entry: PastAuditEntry) -> tuple[str, str, object]:
        return entry.key_id, entry.action, entry.occurred_at.astimezone(zone).date()

    for (key_id, action, _), group in groupby(entries, key=alike):
        those = list(group)
        count = sum(entry.count for entry in those)
        person = next((e.subject for e in those if (e.subject or "").startswith("by ")), None)
        words = clock(those[0].occurred_at)
        if count > 1:
            words += f", {many(count, 'time')} that day"
        if person:
            words += f", {person}"
        yield Item(f"{names.get(key_id, key_id)} {done(action)}", words, "still", "key")


def _mails(mails: Mails, clock: Instants) -> Item:
    whom = f"recipient of {mails.organization_id}" if mails.organization_id else "operator"
    whoms = f"recipients of {mails.organization_id}" if mails.organization_id else "operators"
    title = f"Mail to {many(mails.count, whom, whoms)}"
    at = f" at {clock(mails.at)}" if mails.at else ""
    match mails.state:
        case "sent":
            return Item(title, f"Taken by the mail server{at}", "good", "mail")
        case "failed":
            return Item(
                title, f"Failed{at}: {mails.reason or 'no reason was given'}", "bad", "mail"
            )
        case "digest":
            return Item(title, "Waits for the next digest", "still", "mail")
        case "waiting":
            return Item(title, "Is to be sent", "still", "mail")
        case _:
            assert_never(mails.state)


def _message(kind: str, message: Message, clock: Instants) -> Item:
    words, tone = _arrived(message, clock)
    shape = "triangle" if tone in {"warn", "bad"} else "arrow"
    host = urlsplit(message.url).hostname or "an endpoint"
    return Item(kind, f"To {host}{words}", tone, shape, message.endpoint_id)


def _arrived(message: Message, clock: Instants) -> tuple[str, Tone]:
    at = f" at {clock(message.ended_at)}" if message.ended_at else ""
    why = message.reason or (f"HTTP {message.http_status}" if message.http_status else "")
    because = f", {why}" if why else ""
    match message.state:
        case "delivered":
            return f", HTTP {message.http_status}{at}", "good"
        case "held":
            return ": held, it is disabled", "warn"
        case "failed":
            return f": given up{at}{because}", "bad"
        case "sending":
            return ": under way", "plain"
        case "waiting" if message.attempt:
            return f": tried {many(message.attempt, 'time')}{because}; it is tried again", "warn"
        case "waiting":
            return ": is to be sent", "still"
        case _:
            assert_never(message.state)
