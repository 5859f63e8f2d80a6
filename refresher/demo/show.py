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

from refresher.demo.interruption import Interruption, Phase
from refresher.demo.plan import Plan
from refresher.demo.screen import frame, progress_line
from refresher.demo.stage import Stage, is_registered, set_up
from refresher.demo.verdict import Verdict, judge
from refresher.demo.view import View, Viewer

FRAME_SECONDS = 0.25
LINE_SECONDS = 5.0
Show = Callable[[View], None]


def perform(plan: Plan, console: Console) -> Verdict:
    """Runs the demo on `console` and returns its verdict; raises `RefresherError` when it cannot."""
    # A plain `kill` ends the demo as Ctrl-C does, with everything it started.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with set_up(plan, lambda done: console.print(f"[green]✓[/] {done}", highlight=False)) as stage:
        with suppress(KeyboardInterrupt):
            _watch(stage, console)
        stage.scheduler.stop()
        return judge(stage)


def _watch(stage: Stage, console: Console) -> None:
    if not console.is_terminal:
        _run(stage, _lines(console))
        return
    with Live(console=console, auto_refresh=False) as live:
        _run(stage, lambda view: live.update(frame(view), refresh=True))


def _run(stage: Stage, show: Show) -> None:
    """Looks, interrupts and shows, a few times a second, until the time is over."""
    viewer, interruption = Viewer(stage), Interruption(stage.plan, stage.scheduler)
    began = monotonic()
    while (now := monotonic() - began) < stage.plan.seconds:
        starting = interruption.phase is Phase.STARTING
        interruption.step(now, is_registered=starting and is_registered(stage))
        show(viewer.look(now, interruption.phase, interruption.notes))
        sleep(FRAME_SECONDS)


def _lines(console: Console) -> Show:
    """Returns what prints a line every few seconds, and each note as it comes."""
    told, next_at = 0, LINE_SECONDS

    def show(view: View) -> None:
        nonlocal told, next_at
        for note in view.notes[told:]:
            console.print(f"{note.at_seconds:5.1f} s  {note.text}", highlight=False)
        told = len(view.notes)
        if view.now_seconds >= next_at:
            next_at += LINE_SECONDS
            console.print(progress_line(view), highlight=False)

    return show
