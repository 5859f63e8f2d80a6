"""Lists of `refresher top` as texts, and which of their columns a width has room for. Pure but for now.

No row is broken over lines: what is too long ends with an ellipsis, and Enter shows it whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.text import Text

from refresher.cli.output import TONES, cell, distance, plain
from refresher.cli.tables import GAP
from refresher.cli.top.source import ProviderSeen
from refresher.rules.needs import plain as in_words
from refresher.rules.standing_word import with_failures
from refresher.rules.words import counted, span
from refresher.store.event_feed import Fed
from refresher.store.lists import Row
from refresher.store.workers import ProcessSeen

LEAST, SQUEEZED = 8, 18
"""No column is squeezed below the first; below the second only where no other can be left away."""


@dataclass(frozen=True, slots=True)
class Listing:
    """A list: its columns, the rows, what each row is known by; `spare` columns go first."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Text]]
    keys: Sequence[str]
    spare: Sequence[str] = ()


def fit(listing: Listing, width: int) -> dict[int, int]:
    """Returns which columns are shown in a width, by position, each with its own width.

    A column without any value is none. What is long is squeezed before a spare column goes.
    """
    natural = {n: _natural(listing, n) for n in range(len(listing.columns)) if _says(listing, n)}
    least = {n: min(own, max(SQUEEZED, len(listing.columns[n]))) for n, own in natural.items()}
    for name in listing.spare:
        if _whole(least) > width:
            least.pop(listing.columns.index(name), None)
    while (over := _whole(least) - width) > 0 and max(least.values()) > LEAST:
        widest = max(least, key=lambda n: least[n])
        least[widest] = max(LEAST, least[widest] - over)
    room = max(0, width - _whole(least))
    for n in sorted(least, key=lambda n: natural[n] - least[n]):
        more = min(room, natural[n] - least[n])
        least[n] += more
        room -= more
    return least


def connections(found: Sequence[Row]) -> Listing:
    """Returns connections, each with its health in one word."""
    rows = [
        [
            _text(f"{row.external_id}, {row.slot}" if row.slot else row.external_id),
            _text(row.name),
            _text(row.provider),
            _text(row.organization_id),
            cell(with_failures(row.health, row.failures)),
            _text(row.note),
            _text(distance(row.due_at)),
            _text(distance(row.expires_at)),
        ]
        for row in found
    ]
    columns = (
        "external id", "name", "provider", "organization", "health", "why", "next", "token ends",
    )  # fmt: skip
    spare = ("organization", "token ends", "name", "why")
    return Listing(columns, rows, [str(row.id) for row in found], spare)


def providers(found: Sequence[ProviderSeen]) -> Listing:
    """Returns providers, those in trouble first."""
    worst = {"bad": 0, "warn": 1}
    ordered = sorted(
        found, key=lambda one: (worst.get(one.standing.tone, 2), -one.look.count.number)
    )
    rows = [
        [
            _text(one.look.facts.name),
            Text(one.standing.label, TONES[one.standing.tone]),
            Text(_count(one), justify="right"),
            Text(f"{one.look.in_flight or 0:,}", justify="right"),
            Text(_rate(one), justify="right"),
            Text(_share(one), justify="right"),
            Text(f"{one.look.reconnects:,}", justify="right"),
            _text(_why(one)),
        ]
        for one in ordered
    ]
    columns = (
        "provider", "stands", "connections", "under way", "a second", "failed", "reconnect", "why",
    )  # fmt: skip
    spare = ("a second", "failed", "connections", "reconnect", "under way")
    return Listing(columns, rows, [one.look.facts.name for one in ordered], spare)


def processes(found: Sequence[ProcessSeen]) -> Listing:
    """Returns who works."""
    rows = [
        [
            _text(one.role),
            _text(one.host),
            _text(one.process_id),
            Text("alive", "green") if one.locked else Text("missing", "bold red"),
            _text(span(one.runs_seconds)),
            _text(f"{span(max(0.0, one.seen_seconds))} ago"),
            _text(", ".join(f"{job}: {why}" for job, why in one.failing.items())),
        ]
        for one in found
    ]
    columns = ("process", "host", "pid", "lock", "runs for", "seen", "jobs that fail")
    keys = [f"{n}" for n in range(len(found))]
    return Listing(columns, rows, keys, ("runs for", "pid", "seen"))


def lately(found: Sequence[Fed]) -> Listing:
    """Returns the newest events of everybody."""
    rows = [
        [
            _text(f"{one.occurred_at:%H:%M:%S}Z"),
            cell(one.kind),
            _text(one.provider),
            _text(one.name or one.external_id),
            _text(one.http_status),
            _text(None if one.elapsed_seconds is None else span(one.elapsed_seconds)),
            _text(one.reason),
        ]
        for one in found
    ]
    columns = ("when", "what", "provider", "connection", "http", "took", "reason")
    keys = [f"{one.id} {one.connection_id or ''}" for one in found]
    return Listing(columns, rows, keys, ("took", "http", "provider", "reason"))


def _count(one: ProviderSeen) -> str:
    return counted(one.look.count.number)


def _rate(one: ProviderSeen) -> str:
    return f"{one.look.lately.per_second:,.1f}" if one.look.lately else "0.0"


def _share(one: ProviderSeen) -> str:
    share = one.look.facts.failed_share
    return "–" if share is None else f"{100 * share:.1f} %"


def _why(one: ProviderSeen) -> str:
    if one.standing.tone == "good" or not (one.look.facts.holds or one.look.facts.fault):
        return ""
    return f"{one.standing.sentence} {in_words(one.standing.more)}".strip()


def _text(value: object) -> Text:
    return Text(plain(value))


def _says(listing: Listing, n: int) -> bool:
    return not listing.rows or any(row[n].plain for row in listing.rows)


def _natural(listing: Listing, n: int) -> int:
    longest = max((row[n].cell_len for row in listing.rows), default=0)
    return max(len(listing.columns[n]), longest)


def _whole(widths: dict[int, int]) -> int:
    return sum(widths.values()) + GAP * len(widths)
