"""`python -m bench.connect`: many people connect at once while connections are refreshed, all for real.

    python -m bench.connect --connections 500 --people 50 --think 5 --rounds 3

A scheduler that refreshes, a web process with the pages, an OAuth server that asks and rotates: all on
this machine, beside the visitors. All of them begin within one thinking time and read each page for
another, of 0.2 to 1 of `--think` seconds; with 0, all press each button in the same instant. Windows
without visitors and with them take turns in one run, so that a noisy minute hits both. Read ratios.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from random import Random
from statistics import quantiles
from threading import Barrier
from time import monotonic, sleep

from bench.refreshes.report import machine
from bench.refreshes.statements import longest_lateness_seconds
from refresher.connections import connect
from refresher.connections.connect_orders import Order
from refresher.devkit.browser import Browser
from refresher.devkit.demo.connecting import BY, pages
from refresher.devkit.demo.plan import Plan
from refresher.devkit.demo.stage import NAME, Stage, set_up
from refresher.rules.connect import Outcome
from refresher.store import statistics
from refresher.store.registration import database_now

PUBLIC_URL = "https://connect.example"
ROOT, CALLBACK = "/connect/", "/connect/callback/"
"""A callback waits for the provider, and for what it answers to be stored; the others are pages."""
WHICH = ("p50", "p99", "max")
SETTINGS = {
    "REFRESHER_PUBLIC_URL": PUBLIC_URL,
    "REFRESHER_TRUSTED_PROXIES": "127.0.0.1",
}


@dataclass(frozen=True, slots=True)
class Window:
    """What was seen in one of the windows; milliseconds."""

    people: int
    refreshed: int
    late_p50: float | None
    late_p99: float | None
    late_max: float | None
    connected: int = 0
    connected_in_seconds: float = 0.0
    page_p50: float | None = None
    page_p99: float | None = None
    page_max: float | None = None
    callback_p50: float | None = None
    callback_p99: float | None = None
    callback_max: float | None = None


def main() -> None:
    """Runs what was asked for; prints a table, or JSON."""
    given = _options().parse_args()
    plan = Plan(connections=given.connections, lifetime_seconds=given.lifetime, with_connect=True)
    about = machine()
    with set_up(plan, _say, **SETTINGS) as stage, pages(stage):
        # What visitors bring lives longer than the run: the refreshes are the same in all windows.
        stage.provider.change_options(code_token_lifetime_seconds=86_400)
        _visited(stage, 1, -1, 0.0)  # modules are loaded, connections opened
        sleep(given.lifetime)
        windows = []
        for number in range(given.rounds):
            for people in (0, given.people):
                windows.append(_window(stage, people, number, given))
                _say(str(windows[-1]))
    told = {"about": about, "given": vars(given), "windows": [asdict(one) for one in windows]}
    print(json.dumps(told) if given.json else _table(windows))


def _window(stage: Stage, people: int, number: int, given: argparse.Namespace) -> Window:
    with stage.services.database.transaction() as db:
        since = database_now(db)
    began = monotonic()
    walks = _visited(stage, people, number, given.think) if people else []
    took = monotonic() - began
    sleep(max(0.0, given.window - took))
    with stage.services.database.transaction() as db:
        done = statistics.refreshes_since(db, since)
        longest = longest_lateness_seconds(db, since)
    own = [one for walk in walks for one in walk.timings if one[0].startswith(ROOT)]
    return Window(
        people,
        done.refreshed,
        _ms(done.lateness_p50_seconds),
        _ms(done.lateness_p99_seconds),
        _ms(longest),
        sum(walk.has_connected for walk in walks),
        round(took, 1),
        *_spread_of([seconds for path, seconds in own if not path.startswith(CALLBACK)]),
        *_spread_of([seconds for path, seconds in own if path.startswith(CALLBACK)]),
    )


@dataclass(frozen=True, slots=True)
class Walk:
    """One person's way: whether it led to a connection, and how long each answer took, by path."""

    has_connected: bool
    timings: list[tuple[str, float]]


def _visited(stage: Stage, people: int, number: int, think_seconds: float) -> list[Walk]:
    barrier, dice = Barrier(people), Random(number)
    thinking = [[dice.uniform(0.2, 1) * think_seconds for _ in range(2)] for _ in range(people)]

    def walk(person: int) -> Walk:
        account = f"person-{number}-{person}"
        order = Order(organization_id="demo", provider=NAME, external_id=account, scopes=("read",))
        made = connect.make(stage.services, order, BY)
        address = f"203.0.113.{person % 250 + 1}"
        with Browser({PUBLIC_URL: f"http://127.0.0.1:{stage.port}"}, address=address) as browser:
            browser.open(f"{stage.provider.url}/login?account={account}")
            barrier.wait()
            sleep(think_seconds * person / people)
            browser.open(made.url)
            for button, seconds in zip((None, "Allow"), thinking[person], strict=True):
                sleep(seconds)
                browser.submit(button)
        session = connect.find(stage.services, made.session.id, BY)
        return Walk(session.outcome is Outcome.CONNECTED, browser.timings)

    with ThreadPoolExecutor(people) as pool:
        return list(pool.map(walk, range(people)))


def _spread_of(seconds: list[float]) -> tuple[float | None, float | None, float | None]:
    if len(seconds) < 2:
        return None, None, None
    cuts = quantiles(seconds, n=100, method="inclusive")
    return _ms(cuts[49]), _ms(cuts[98]), _ms(max(seconds))


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 1)


def _table(windows: Iterable[Window]) -> str:
    """Returns it for docs/performance.md: milliseconds, as p50 / p99 / longest."""
    names = ("late", "page", "callback")
    titles = ["people", "refreshes", *names, "connected"]
    lines = [" | ".join(titles), " | ".join("---:" for _ in titles)]
    for one in windows:
        told = asdict(one)
        spreads = (
            " / ".join(
                "–" if (ms := told[f"{name}_{which}"]) is None else f"{ms:,.0f}" for which in WHICH
            )
            for name in names
        )
        lines.append(
            " | ".join([str(one.people), str(one.refreshed), *spreads, str(one.connected)])
        )
    lines = [f"| {line} |" for line in lines]
    return "\n".join(lines)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.connect", description=(__doc__ or ""))
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--connections", type=int, default=500, help="that are refreshed meanwhile")
    parser.add_argument("--lifetime", type=float, default=20.0, help="of their tokens, in seconds")
    parser.add_argument("--people", type=int, default=50, help="who connect at once")
    parser.add_argument("--think", type=float, default=5.0, help="seconds that a page is read")
    parser.add_argument("--window", type=float, default=20.0, help="seconds of each window")
    parser.add_argument("--rounds", type=int, default=3, help="a window without, one with people")
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser


if __name__ == "__main__":
    main()
