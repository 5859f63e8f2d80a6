"""The rows of the overview: figures, providers in trouble and the busiest, processes. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from refresher.insight.looks import Look, WorkNow
from refresher.rules.faults import Sort
from refresher.rules.provider_standing import ProviderFacts, share_tone, standing
from refresher.rules.standing_word import Tone
from refresher.rules.words import amount, counted, span
from refresher.store.inspection import Recent
from refresher.store.pause_list import PauseView
from refresher.store.sample_history import Lately
from refresher.store.workers import ProcessSeen

MOST_PROVIDERS, MOST_IN_TROUBLE, MOST_PROCESSES = 7, 12, 50
FROZEN_SECONDS = 60.0
SHORT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Figure:
    """One number: its name, its value with a small word beside it, and a line below."""

    name: str
    value: str
    beside: str
    below: str


@dataclass(frozen=True, slots=True)
class ProviderRow:
    """A provider; the numbers are texts, empty where they are not for whoever looks."""

    name: str
    title: str
    word: str
    tone: Tone
    shape: str
    note: str
    under_way: str = ""
    per_second: str = ""
    failed: str = ""
    failed_tone: str = ""


@dataclass(frozen=True, slots=True)
class ProcessRow:
    """A process, and whether it is there."""

    role: str
    host: str
    since: str
    word: str
    tone: Tone
    shape: str
    seen: str


def figures(look: Look, max_leased: int) -> tuple[Figure, ...]:
    """Returns the numbers of everything."""
    assert look.work is not None
    recent, late = look.work.activity.recent, look.facts
    over = "minute" if recent.over_seconds >= FROZEN_SECONDS else span(recent.over_seconds)
    refreshed = f"{recent.refreshed:,} in the last {over}"
    dead = _dead(late.ended)
    return (
        Figure("Refreshes a second", f"{recent.per_second:,.1f}", "", refreshed),
        _lateness(recent, over),
        Figure("Late now", counted(late.late), "", dead),
        Figure("Under way", *_under_way(look.work, max_leased)),
        _without_token(recent, over),
        _connections(look),
    )


def figures_of_one(look: Look) -> tuple[Figure, ...]:
    """Returns the numbers of one organization."""
    assert look.numbers is not None
    states, parked = look.numbers.states, look.numbers.parked
    gone = parked.get("reconnect_required", 0)
    return (
        _connections(look),
        Figure("Scheduled", counted(states.get("idle", 0)), "", "wait for their next refresh"),
        Figure("Under way", counted(states.get("leased", 0)), "", "are refreshed at this moment"),
        Figure("Late now", counted(look.facts.late), "", _dead(look.facts.ended)),
        Figure("To be connected again", counted(gone), "", "their grants have ended"),
        Figure("Switched off", counted(look.switched_off), "", "paused or disabled on purpose"),
    )


def _connections(look: Look) -> Figure:
    number = look.facts.connections
    off = f"{counted(look.switched_off)} switched off"
    about = f"about; {off}" if look.is_about else off
    return Figure("Connections", f"{number:,}", "", about)


def _lateness(recent: Recent, over: str) -> Figure:
    p50, p99 = recent.lateness_p50_seconds, recent.lateness_p99_seconds
    if p50 is None or p99 is None:
        return Figure("Lateness", "–", "", "nothing was refreshed")
    return Figure("Lateness", _seconds(p50), "p50", f"{_seconds(p99)} p99, last {over}")


def _without_token(recent: Recent, over: str) -> Figure:
    answers = recent.refreshed + recent.failed
    if not answers:
        return Figure("Answers without a token", "–", "", "nothing was answered")
    share = f"{100 * recent.failed / answers:.1f} %"
    below = f"{recent.failed:,} of {answers:,}, last {over}"
    return Figure("Answers without a token", share, "", below)


def _under_way(work: WorkNow, max_leased: int) -> tuple[str, str, str]:
    leased, queue = work.activity.gauges.leased, work.queue
    of = f"of {max_leased:,}"
    if queue.trouble:
        return counted(leased), of, "the queue cannot be asked"
    if queue.depth is None:
        return counted(leased), of, "handed over in memory"
    return counted(leased), of, f"{amount(queue.depth, 'batch', 'batches')} in the queue"


def _dead(ended: int) -> str:
    if not ended:
        return "none is dead"
    return f"{counted(ended)} {'is' if ended == 1 else 'are'} dead"


def providers(look: Look, titles: Mapping[str, str]) -> tuple[ProviderRow, ...]:
    """Returns who is in trouble, the worst first, and then the busiest."""
    worst = _worst(look.pauses)
    flying = {p.provider: p.in_flight for p in look.work.activity.providers} if look.work else {}
    trouble = sorted(worst, key=lambda name: (_RANK[Sort(worst[name].sort)], name))[
        :MOST_IN_TROUBLE
    ]
    calm = {*look.in_use, *flying, *look.lately} - {*worst}

    def busy(name: str) -> tuple[float, int, str]:
        done = look.lately.get(name)
        return -(done.per_second if done else 0.0), -flying.get(name, 0), name

    rest = sorted(calm, key=busy)[: max(0, MOST_PROVIDERS - len(trouble))]
    rows = (
        _provider(look, name, worst.get(name), titles.get(name, name)) for name in (*trouble, *rest)
    )
    if look.work is None:
        return tuple(rows)
    return tuple(
        _with_numbers(row, flying.get(row.name, 0), look.lately.get(row.name)) for row in rows
    )


_RANK = {Sort.REFUSED: 0, Sort.SILENT: 1, Sort.LIMITED: 2}


def _worst(pauses: Sequence[PauseView]) -> dict[str, PauseView]:
    found: dict[str, PauseView] = {}
    for pause in sorted(pauses, key=lambda one: (_RANK[Sort(one.sort)], -one.left_seconds)):
        found.setdefault(pause.provider, pause)
    return found


def _provider(look: Look, name: str, pause: PauseView | None, title: str) -> ProviderRow:
    if pause is None:
        return ProviderRow(name, title, *_in_a_word(look, name), "")
    left = span(pause.left_seconds)
    whom = "".join(f" {word} {what}" for word, what in (
        ("at", pause.host), ("for", pause.organization_id)) if what)  # fmt: skip
    match Sort(pause.sort):
        case Sort.REFUSED:
            again = "tried again now" if pause.probing else f"next try in {left}"
            note = f"{pause.reason}, app {pause.provider}/{pause.app or 'default'}{whom}, {again}"
            return ProviderRow(name, title, "app refused", "bad", "octagon", note)
        case Sort.SILENT:
            again = "probing now" if pause.probing else f"probes in {left}"
            note = f"{pause.reason}{whom}, {again}"
            return ProviderRow(name, title, "left alone", "warn", "minus", note)
        case Sort.LIMITED:
            again = "tried again now" if pause.probing else f"{left} left"
            note = f"{pause.reason}{whom}, {again}"
            return ProviderRow(name, title, "asked us to wait", "still", "hourglass", note)


def _in_a_word(look: Look, name: str) -> tuple[str, Tone, str]:
    """Returns how a provider stands that nothing holds up, as its own page says it."""
    done, known = look.lately.get(name), look.work is not None
    facts = ProviderFacts(
        name,
        name,
        refreshed=(done.refreshed if done else 0.0) if known else None,
        failed=(done.failed if done else 0.0) if known else None,
    )
    told = standing(facts, look.facts.now)
    return told.label, told.tone, told.shape


def _with_numbers(row: ProviderRow, under_way: int, done: Lately | None) -> ProviderRow:
    share = done.failed_share if done else None
    tone = share_tone(share) or ""
    return ProviderRow(
        row.name, row.title, row.word, row.tone, row.shape, row.note,
        under_way=f"{under_way:,}",
        per_second=f"{done.per_second:,.1f}" if done else "0.0",
        failed="–" if share is None else f"{100 * share:.1f} %",
        failed_tone=tone,
    )  # fmt: skip


def processes(seen: Sequence[ProcessSeen], *, has_lock: bool) -> tuple[tuple[ProcessRow, ...], str]:
    """Returns the processes, and how many of them are there in a few words."""
    rows = tuple(_process(one, has_lock=has_lock) for one in seen)
    missing = sum(row.word == "missing" for row in rows)
    none = "none missing" if not missing else f"{missing} missing"
    words = f"{len(rows) - missing} running, {none}" if rows else "none"
    if len(rows) > MOST_PROCESSES:
        words += f"; the first {MOST_PROCESSES} are shown"
    return rows[:MOST_PROCESSES], words


def _process(one: ProcessSeen, *, has_lock: bool) -> ProcessRow:
    lives = one.locked if has_lock else one.seen_seconds < FROZEN_SECONDS
    word, tone, shape = _standing(one, lives=lives)
    since = f"for {span(max(0.0, one.runs_seconds))}"
    seen = one.seen_seconds
    shown = _seconds(seen) if seen < SHORT_SECONDS else span(seen)
    return ProcessRow(one.role, one.host, since, word, tone, shape, shown)


def _standing(one: ProcessSeen, *, lives: bool) -> tuple[str, Tone, str]:
    if not lives:
        return "missing", "bad", "cross"
    if one.seen_seconds > FROZEN_SECONDS:
        return "no sign of life", "warn", "clock"
    if one.failing:
        return "a job fails", "warn", "triangle"
    return "alive", "good", "tick"


def _seconds(value: float) -> str:
    return f"{max(0.0, value):,.1f} s"
