"""How a demo looks: one frame of the live view, and its essence on one line."""

from dataclasses import replace

import pytest
from rich.console import Console

from refresher.devkit.demo.interruption import Note, Phase
from refresher.devkit.demo.plan import Plan
from refresher.devkit.demo.screen import CHART_COLUMNS, DemoView, frame, progress_line
from refresher.devkit.demo.show import table
from refresher.devkit.oauth_server.admin import summary
from refresher.devkit.oauth_server.grants import GrantBook
from refresher.devkit.oauth_server.ledger import Ledger
from refresher.devkit.oauth_server.tokens import Mint
from refresher.store.gauges import ScheduleHealth
from refresher.store.statistics import Happening, Lives, Refreshes
from tests.devkit.demo.test_demo import GOOD


def served(**counted: int):
    """What an OAuth server tells of what it counted."""
    ledger = Ledger()
    ledger.totals.update(counted)
    return summary(GrantBook(Mint(b"k" * 32)), ledger)


def view(**changed):
    """A view of a healthy moment."""
    values = {
        "plan": Plan(),
        "lead_share": 0.2,
        "now_seconds": 23.0,
        "pid": 4711,
        "phase": Phase.OVER,
        "lives": Lives(0, 0.0, 3.4, tuple([0] * 12 + [9] + [4] * (CHART_COLUMNS - 13))),
        "schedule": ScheduleHealth(0.0, 3, 198, 2, {}),
        "refreshes": Refreshes(312, 13.2, 0.006, 0.08, 0.0, {"refreshed": 312}),
        "served": served(requests=313, issued=312),
        "events": [Happening(0.5, f"acct-{n}", "refreshed", None, 15.9) for n in range(4)],
        "notes": [Note(10.0, "scheduler stopped with SIGTERM, as a deploy does")],
    }
    return DemoView(**{**values, **changed})


def printed(renderable, width=80):
    """What a terminal of that width shows."""
    console = Console(width=width, force_terminal=False)
    with console.capture() as capture:
        console.print(renderable)
    return capture.get()


@pytest.mark.parametrize("phase", [Phase.OVER, Phase.STOPPING, Phase.STARTING])
def test_a_frame_fits_a_small_terminal(phase):
    """The live view never needs more than 80 columns and 24 lines, with the longest notes too."""
    notes = [Note(10, "scheduler killed with kill -9, whatever it was doing")]
    notes += [Note(12, "started again after 45.0 s: due times are rows, nothing slept")]
    notes = [
        Note(n, "the button leads to the provider, which asks: “Allow access?”") for n in (1, 2)
    ] + notes
    plan = Plan(connections=100_000, lifetime_seconds=3600, kill=True)
    lines = printed(frame(view(plan=plan, notes=notes, phase=phase))).splitlines()
    assert len(lines) <= 22
    assert max(map(len, lines)) <= 80


def test_a_frame_tells_what_is_so():
    """Rows by state, refreshes, the nearest expiry and the provider's counts stand in the frame."""
    text = printed(frame(view()))
    for words in (
        "195 fresh   3 due   2 in hand",
        "312   13.2 a second",
        "nearest expiry in 3.4 s",
    ):
        assert words in text
    assert "313 requests   312 granted   0 refused   0 spent twice" in text
    assert "00:22      acct-0 refreshed, due again in 15.9 s" in text


def test_an_expired_token_is_told():
    """When the provider or the machine is too slow, the view says so and hides nothing."""
    late = view(lives=Lives(7, 20.0, -5.1, tuple([0] * CHART_COLUMNS)))
    assert "one expired 5.1 s ago   7 expired" in printed(frame(late))
    assert progress_line(late).endswith("one expired 5.1 s ago, expired 7")


def test_a_progress_line_is_one_line():
    """Where no terminal is, the same essence stands on one line."""
    line = progress_line(view())
    assert line.startswith("00:23  refreshed 312 (13.2/s), due 3, in hand 2")
    assert "\n" not in line


def test_the_closing_table_shows_who_says_what():
    """Every figure stands beside its source, and a loss stands out."""
    text = printed(table(replace(GOOD, lost=3, forgiven=1, presented_twice=1)))
    lost = next(line for line in text.splitlines() if "tokens lost" in line)
    assert "3" in lost
    assert "the OAuth server" in lost
    assert "presented again in its grace" in text
