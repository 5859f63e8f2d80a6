"""The story of a demo: set up, watch, interrupt once, stop, judge.

On a terminal the view is live; elsewhere it is a line every few seconds. A Ctrl-C ends the watching
early, and the verdict is still told.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from contextlib import suppress
from time import monotonic, sleep

from rich.console import Console
from rich.live import Live

from refresher.devkit.demo import notifications
from refresher.devkit.demo.interruption import Interruption, Phase
from refresher.devkit.demo.plan import Plan
from refresher.devkit.demo.screen import DemoView, Viewer, frame, progress_line
from refresher.devkit.demo.stage import STOP_SECONDS, Stage, is_registered, set_up
from refresher.devkit.demo.verdict import DemoVerdict, judge

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

    with set_up(plan, say) as stage, notifications.prepared(stage) as told:
        with suppress(KeyboardInterrupt):
            _watch(stage, console)
        stage.scheduler.stop(STOP_SECONDS)
        _show_told(told(), console)
        verdict = judge(stage)
        complaint = None if verdict.is_good else stage.scheduler.last_complaint()
        if complaint:
            console.print(f"The scheduler complained: {complaint}", markup=False, soft_wrap=True)
        return verdict


def _show_told(told: notifications.Shown, console: Console) -> None:
    for heading, lines in told:
        console.print(f"\n[bold]{heading}[/]\n")
        for line in lines or ["(none was sent)"]:
            console.print(f"  │ {line}", markup=False, soft_wrap=True)


def _watch(stage: Stage, console: Console) -> None:
    if not console.is_terminal:
        _run(stage, _lines(console))
        return
    with Live(console=console, auto_refresh=False) as live:
        _run(stage, lambda view: live.update(frame(view), refresh=True))


def _run(stage: Stage, show: Show) -> None:
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
        if now - shown_at >= FRAME_SECONDS:
            show(viewer.look(now, interruption.phase, interruption.notes))
            shown_at = now
        sleep(STEP_SECONDS)
    show(viewer.look(now, interruption.phase, interruption.notes))


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
