"""Checks the work itself: what is due, who does it, what is parked or paused, what no key opens."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from uuid import UUID, uuid4

from refresher.errors import CannotDecrypt, CatalogueError, SettingsError
from refresher.insight.doctor import Finding, fail, ok, warn
from refresher.rules.changes import announced
from refresher.rules.connection import ParkReason
from refresher.rules.explanation import held_in_words
from refresher.rules.reasons import ON_PURPOSE, apps_set, mend, page_of
from refresher.rules.words import amount, span
from refresher.runtime.cipher import cipher_from
from refresher.runtime.parts import catalogue_from
from refresher.settings import Settings
from refresher.store import gauges, inspection, pause_list, sealed, token_lives, workers
from refresher.store.gauges import Gauges, ScheduleHealth
from refresher.store.inspection import InUse
from refresher.store.pause_list import PauseView
from refresher.store.sealed import SealedValue
from refresher.store.session import Database
from refresher.store.workers import ProcessSeen

SAMPLE = 100
MOST_NAMED = 5
FROZEN_SECONDS = 60.0
LATE_SECONDS = 30.0
"""A row may be late by a tick or two, or while a burst is worked off."""
OURS_TO_MEND = frozenset(
    {
        ParkReason.APP_NOT_CONFIGURED,
        ParkReason.UNKNOWN_PROVIDER,
        ParkReason.UNDECRYPTABLE,
        ParkReason.UNBUILDABLE_REQUEST,
        ParkReason.CRASH_LOOP,
        ParkReason.UNSTORED,
        ParkReason.UNREAD_ANSWER,
        ParkReason.LOST_ANSWER,
    }
)


def check(settings: Settings, database: Database) -> Iterator[Finding]:
    """Yields findings on the work, from a handful of bounded looks."""
    with database.transaction() as db:
        schedule = gauges.schedule(db)
        running = workers.processes(db)
        missing_apps = inspection.parked_for(db, ParkReason.APP_NOT_CONFIGURED)
        unknown = inspection.parked_for(db, ParkReason.UNKNOWN_PROVIDER)
        unread = inspection.parked_for(db, ParkReason.UNREAD_ANSWER)
        paused, refused = pause_list.held(db), pause_list.refused_alone(db)
        values = sealed.sealed_sample(db, uuid4(), limit=SAMPLE) + sealed.sealed_secrets(db)
    with database.transaction() as db:
        now = gauges.read(db, has_lock=settings.liveness_lock)
        dead = token_lives.expired(db, limit=MOST_NAMED)
        used = inspection.in_use(db)
    yield from _processes(settings, running, schedule)
    yield from _failing(settings, running)
    yield _overdue(settings, schedule)
    yield from _tokens(now, dead)
    yield from _parked(schedule, missing_apps)
    for provider, app, count in missing_apps:
        message = f"the app {provider}/{app} is not stored; connections that wait: {amount(count)}"
        yield fail("apps", message, apps_set(provider, app), page_of("apps", provider, app))
    for provider in sorted({row[0] for row in unknown}):
        message = f"connections wait for the provider {provider}: it has no entry, or a wrong one"
        yield fail(
            "providers",
            message,
            "add or mend it in REFRESHER_PROVIDERS_FILE; they go on then",
            page_of("connections", provider=provider),
        )
    yield from _unread(unread)
    yield from _paused(paused)
    yield from _refused(refused)
    yield from _sealed(settings, values)
    yield from _changes(settings, used)


def _processes(
    settings: Settings, running: Sequence[ProcessSeen], schedule: ScheduleHealth
) -> Iterator[Finding]:
    needed = {"scheduler": "`python -m refresher.scheduler`"}
    if settings.integration_refresh.transport != "in_process":
        needed["worker"] = "`python -m refresher.worker` (or `dramatiq refresher.actors`)"
    for role, command in needed.items():
        alive = [p for p in running if p.role == role and _lives(settings, p)]
        if alive:
            hosts = ", ".join(sorted({p.host for p in alive}))
            yield ok(role, f"{len(alive)} running ({hosts})")
        elif schedule.idle or schedule.leased:
            yield fail(role, f"no {role} is running, and connections wait to be refreshed", command)
        else:
            yield warn(role, f"no {role} is running, though nothing waits for it yet", command)
    for process in running:
        if process.locked and process.seen_seconds > FROZEN_SECONDS:
            yield warn(
                process.role,
                f"process {process.process_id} on {process.host} holds its lock but gave no sign of "
                f"life for {span(process.seen_seconds)}",
                "look whether it is suspended, and restart it",
            )


def _failing(settings: Settings, running: Sequence[ProcessSeen]) -> Iterator[Finding]:
    """Yields the jobs that fail again and again in processes that live."""
    for process in running:
        if not _lives(settings, process):
            continue
        for job, reason in sorted(process.failing.items()):
            yield fail(
                "jobs",
                f"the job {job} of the {process.role} on {process.host} (process "
                f"{process.process_id}) fails again and again: {reason}",
                "look into its log for `a tick failed`; until it is mended, that work is not done",
            )


def _lives(settings: Settings, process: ProcessSeen) -> bool:
    return process.locked if settings.liveness_lock else process.seen_seconds < FROZEN_SECONDS


def _overdue(settings: Settings, schedule: ScheduleHealth) -> Finding:
    if schedule.oldest_overdue_seconds <= max(LATE_SECONDS, 10 * settings.tick_seconds):
        text = f"scheduled: {amount(schedule.idle)}, under way: {amount(schedule.leased)}"
        return ok("due", f"{text}; none is late")
    return fail(
        "due",
        f"connections that are late: {amount(schedule.overdue)}, the first by "
        f"{span(schedule.oldest_overdue_seconds)}",
        "see that scheduler and worker run and log no errors; if they do, raise "
        "REFRESHER_MAX_IN_FLIGHT or start another worker",
        page_of("connections", health="late"),
    )


def _tokens(now: Gauges, dead: Sequence[UUID]) -> Iterator[Finding]:
    """Yields what is dead at this moment, and what waits for a place."""
    if now.expired_tokens:
        named = ", ".join(map(str, dead)) + (" …" if now.expired_tokens > len(dead) else "")
        first = dead[0] if dead else "ID"
        yield fail(
            "tokens",
            f"access tokens that are dead now, and to be refreshed: {now.expired_tokens:,} ({named})",
            f"mend what is wrong here; `refresher explain {first}` tells what keeps one from being "
            "refreshed, `refresher connections list --expired` shows all, and each is tried again",
            page_of("connections", health="expired"),
        )
    if now.quarantined:
        yield warn(
            "quarantine",
            f"token pairs that came too late, kept in case they prove the living ones: "
            f"{amount(now.quarantined)}",
            "nothing, unless it grows: then requests outlive their leases, so raise "
            "REFRESHER_LEASE_SECONDS",
        )


def _parked(
    schedule: ScheduleHealth, missing_apps: Sequence[tuple[str, str, int]]
) -> Iterator[Finding]:
    provider, app, _ = missing_apps[0] if missing_apps else ("PROVIDER", "default", 0)
    for reason, count in sorted(schedule.parked.items()):
        message = f"{reason}: {amount(count)}"
        advice = mend(reason, provider=provider, app_name=app) or (
            "`refresher connections list --state parked` shows them"
        )
        if reason in OURS_TO_MEND:
            yield fail("parked", message, advice, page_of("connections", health="blocked"))
        elif reason in ON_PURPOSE:
            yield ok("parked", message)
        else:
            yield warn("parked", message, advice, _parked_page(reason))


def _parked_page(reason: str) -> str:
    """Returns the list in which connections are that are parked for this."""
    word = reason if reason in {"reconnect_required", "mid_oauth"} else "blocked"
    return page_of("connections", health="connecting" if word == "mid_oauth" else word)


def _unread(parked: Sequence[tuple[str, str, int]]) -> Iterator[Finding]:
    counts: Counter[str] = Counter()
    for provider, _, count in parked:
        counts[provider] += count
    for provider, count in sorted(counts.items()):
        yield fail(
            "answers",
            f"{provider} answered and we could not read it; connections that wait: {amount(count)}",
            f"`refresher answers list --provider {provider}` shows what is kept; say in its entry "
            "where the tokens stand (answer_names, response_path), then "
            f"`refresher answers reread --provider {provider}`",
            page_of("providers", provider),
        )


def _paused(paused: Sequence[PauseView]) -> Iterator[Finding]:
    for pause in paused:
        left = "now" if pause.probing else f"in {span(pause.left_seconds)}"
        who = f"{held_in_words(pause.key)} ({pause.reason}); next try {left}"
        if pause.scope == "app":
            message = f"the provider refuses the app {who}"
            mend_ = f"put its id and secret right: {_set_app(pause)}"
            yield fail("apps", message, mend_, _app_page(pause))
        else:
            command = f"`refresher providers unpause {pause.provider}` has it tried at once"
            message = f"left alone for a while: {who}"
            advice = f"nothing: it goes on by itself; {command}"
            yield warn("providers", message, advice, page_of("providers", pause.provider))


def _refused(refused: Sequence[PauseView]) -> Iterator[Finding]:
    for one in refused:
        yield warn(
            "apps",
            f"the provider refused the app {one.key} to {', '.join(one.told[-3:])} ({one.reason}), "
            "and to no other yet",
            f"its id or secret is wrong: {_set_app(one)}; or that refresh token is another client's",
            _app_page(one),
        )


def _app_page(pause: PauseView) -> str:
    return page_of("apps", pause.provider, pause.app or "default")


def _set_app(pause: PauseView) -> str:
    return apps_set(pause.provider, pause.app or "default")


def _changes(settings: Settings, used: InUse) -> Iterator[Finding]:
    """Yields what providers in use have announced, when it is near."""
    try:
        known = catalogue_from(settings)
    except CatalogueError:
        return  # told already, by the check of the providers
    for one in announced(known.those(used.providers), used.today):
        advice = f"read {one.change.url}, and see what it asks of you"
        yield warn("providers", one.sentence, advice, page_of("providers", one.provider))


def _sealed(settings: Settings, sealed: Sequence[SealedValue]) -> Iterator[Finding]:
    try:
        cipher = cipher_from(settings)
    except SettingsError:
        return  # told already, by the check of the keys
    closed, older = 0, 0
    for item in sealed:
        older += cipher.needs_rotation(item.value)
        try:
            cipher.open(item.value, item.owner_id, item.column)
        except CannotDecrypt:
            closed += 1
    if closed:
        yield fail(
            "secrets",
            f"{closed} of {len(sealed)} stored secrets that were tried are opened by no key",
            "put the old key behind the first one in REFRESHER_ENCRYPTION_KEYS",
        )
    else:
        note = f", {older} of them with an older key" if older else ""
        yield ok("secrets", f"{len(sealed)} stored secrets were tried, and all open{note}")
