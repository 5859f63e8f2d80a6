"""The story of a demo: set up, watch, interrupt once, stop, judge; and the figures it closes with.

On a terminal the view is live; elsewhere it is a line every few seconds. A Ctrl-C ends the watching
early, and the verdict is still told. Nothing is counted by the demo itself: lateness and expired
seconds are those of `refresh_event`; "lost" and "twice" are judged by the OAuth server, to which every
stored pair is shown.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic, sleep

from rich.console import Console
from rich.live import Live
from rich.table import Table

from refresher.devkit.demo import connecting, notifications
from refresher.devkit.demo.connecting import Visitor
from refresher.devkit.demo.interruption import Interruption, Note, Phase
from refresher.devkit.demo.plan import Plan
from refresher.devkit.demo.screen import DemoView, Viewer, frame, progress_line
from refresher.devkit.demo.stage import STOP_SECONDS, Stage, is_registered, set_up
from refresher.devkit.oauth_server import Check, HeldTokens
from refresher.rules.connection import Sealed
from refresher.runtime.services import Services
from refresher.store import sealed, statistics
from refresher.store.sealed import StoredPair


@dataclass(frozen=True, slots=True)
class DemoVerdict:
    """The closing figures. `forgiven` presentations came within the provider's grace."""

    connections: int
    refreshed: int
    expired_seconds: float
    lost: int
    presented_twice: int
    forgiven: int
    lateness_p50_ms: float | None
    lateness_p99_ms: float | None
    connected: int | None = None
    """people who connected meanwhile, where one was to"""

    @property
    def double_spends(self) -> int:
        """Refresh tokens presented again after they were spent, which the provider held against us."""
        return self.presented_twice - self.forgiven

    @property
    def is_good(self) -> bool:
        """Whether something was refreshed, and nothing lost or spent twice."""
        kept = self.refreshed > 0 and self.lost == 0 and self.double_spends == 0
        return kept and self.connected != 0

    def as_json(self) -> dict[str, float | None]:
        """Returns the line of `--json`."""
        told = {} if self.connected is None else {"connected": self.connected}
        return {
            **told,
            "connections": self.connections,
            "refreshed": self.refreshed,
            "expired_seconds": self.expired_seconds,
            "lost": self.lost,
            "double_spends": self.double_spends,
            "lateness_p50_ms": self.lateness_p50_ms,
            "lateness_p99_ms": self.lateness_p99_ms,
        }


def judge(stage: Stage, visitor: Visitor | None = None) -> DemoVerdict:
    """Returns the verdict; call it when the scheduler has stopped, so that nothing moves."""
    judged = list(stage.provider.check(_opened(stage.services)))
    with stage.services.database.transaction() as db:
        refreshes = statistics.refreshes_since(db, stage.started_at)
    served = stage.provider.summary()
    connected = None if visitor is None else int(visitor.has_connected)
    connections = stage.plan.connections + (connected or 0)
    still_expired = sum(word.expired_for_seconds or 0.0 for word in judged)
    return DemoVerdict(
        connections=connections,
        refreshed=refreshes.refreshed,
        expired_seconds=round(refreshes.expired_seconds + still_expired, 3),
        lost=connections - sum(map(_is_good, judged)),
        presented_twice=served.presented_twice,
        forgiven=served.replayed_in_grace,
        lateness_p50_ms=_milliseconds(refreshes.lateness_p50_seconds),
        lateness_p99_ms=_milliseconds(refreshes.lateness_p99_seconds),
        connected=connected,
    )


def table(verdict: DemoVerdict) -> Table:
    """Returns the closing summary as people read it: what, how much, and who says so."""
    made = Table(title="What came of it", title_justify="left", title_style="bold")
    made.add_column("")
    made.add_column("", justify="right")
    made.add_column("according to", style="dim")
    made.add_row("connections", f"{verdict.connections:,}", "this demo")
    if verdict.connected is not None:
        made.add_row("connected meanwhile", f"{verdict.connected}", "the visitor")
    made.add_row("refreshes", f"{verdict.refreshed:,}", "refresh_event")
    expired = f"{verdict.expired_seconds:g} s"
    made.add_row(
        "time any token was expired", _mark(expired, verdict.expired_seconds), "refresh_event"
    )
    late = f"{_shown(verdict.lateness_p50_ms)} / {_shown(verdict.lateness_p99_ms)}"
    made.add_row("lateness p50 / p99", late, "refresh_event")
    made.add_row("tokens lost", _mark(f"{verdict.lost}", verdict.lost), "the OAuth server")
    twice = f"{verdict.double_spends}"
    made.add_row(
        "refresh tokens spent twice", _mark(twice, verdict.double_spends), "the OAuth server"
    )
    if verdict.forgiven:
        made.add_row("presented again in its grace", f"{verdict.forgiven}", "the OAuth server")
    return made


def _is_good(word: Check) -> bool:
    """Whether what is stored is this account's newest pair, and still works."""
    is_newest = word.refresh_is_newest and word.access_is_newest
    return word.is_owner and word.family_alive and word.refresh_usable and is_newest


def _opened(services: Services) -> Iterator[HeldTokens]:
    for pair in sealed.stored_pairs(services.database):
        yield _open(services, pair)


def _open(services: Services, pair: StoredPair) -> HeldTokens:
    def opened(sealed: Sealed | None, column: str) -> str | None:
        return services.cipher.open(sealed, pair.id, column).reveal() if sealed else None

    return HeldTokens(
        pair.external_id,
        opened(pair.access_token, "access_token"),
        opened(pair.refresh_token, "refresh_token"),
    )


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 1)


def _shown(milliseconds: float | None) -> str:
    return "–" if milliseconds is None else f"{milliseconds:,.0f} ms"


def _mark(text: str, bad: float) -> str:
    return f"[bold red]{text}[/]" if bad else f"[bold green]{text}[/]"


STEP_SECONDS = 0.05
FRAME_SECONDS = 0.25
LINE_SECONDS = 5.0
Show = Callable[[DemoView], None]


def perform(plan: Plan, console: Console) -> DemoVerdict:
    """Runs the demo on `console` and returns its verdict; raises `RefresherError` when it cannot."""
    # A plain `kill` or a closed window ends the demo as Ctrl-C does, with everything it started.
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler)

    def say(done: str) -> None:
        console.print(f"[green]✓[/] {done}", soft_wrap=True)

    with (
        set_up(plan, say) as stage,
        notifications.prepared(stage) as told,
        connecting.prepared(stage) as visitor,
    ):
        with suppress(KeyboardInterrupt):
            _watch(stage, visitor, console)
        stage.scheduler.stop(STOP_SECONDS)
        _show_told(told(), console)
        verdict = judge(stage, visitor)
        complaint = None if verdict.is_good else stage.scheduler.last_complaint()
        if complaint:
            console.print(f"The scheduler complained: {complaint}", markup=False, soft_wrap=True)
        return verdict


def _show_told(told: notifications.Shown, console: Console) -> None:
    for heading, lines in told:
        console.print(f"\n[bold]{heading}[/]\n")
        for line in lines or ["(none was sent)"]:
            console.print(f"  │ {line}", markup=False, soft_wrap=True)


def _watch(stage: Stage, visitor: Visitor | None, console: Console) -> None:
    if not console.is_terminal:
        _run(stage, visitor, _lines(console))
        return
    with Live(console=console, auto_refresh=False) as live:
        _run(stage, visitor, lambda view: live.update(frame(view), refresh=True))


def _run(stage: Stage, visitor: Visitor | None, show: Show) -> None:
    """Looks, interrupts and shows, a few times a second, until the time is over.

    A restart that is under way then is waited for: it must end, or the demo has failed. So is what
    follows from it, which on a slow machine may come late.
    """
    viewer, interruption = Viewer(stage), Interruption(stage.plan, stage.scheduler)
    began, shown_at = monotonic(), -FRAME_SECONDS
    while (
        (now := monotonic() - began) < stage.plan.seconds
        or interruption.is_under_way
        or now < interruption.settled_at_seconds
    ):
        starting = interruption.phase is Phase.STARTING
        interruption.step(now, is_registered=starting and is_registered(stage))
        if visitor is not None:
            visitor.step(now)
        if now - shown_at >= FRAME_SECONDS:
            show(viewer.look(now, interruption.phase, _notes(interruption, visitor)))
            shown_at = now
        sleep(STEP_SECONDS)
    show(viewer.look(now, interruption.phase, _notes(interruption, visitor)))


def _notes(interruption: Interruption, visitor: Visitor | None) -> list[Note]:
    notes = [*interruption.notes, *(visitor.notes if visitor else ())]
    return sorted(notes, key=lambda note: note.at_seconds)


def _lines(console: Console) -> Show:
    """Returns what prints a line every few seconds, and each note as it comes."""
    told, next_at = 0, LINE_SECONDS

    def show(view: DemoView) -> None:
        nonlocal told, next_at
        for note in view.notes[told:]:
            console.print(f"{note.at_seconds:5.1f} s  {note.text}", soft_wrap=True)
        told = len(view.notes)
        if view.now_seconds >= next_at:
            next_at += LINE_SECONDS
            console.print(progress_line(view), soft_wrap=True)

    return show
