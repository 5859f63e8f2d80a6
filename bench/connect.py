"""`python -m bench.connect`: many people connect at once while connections are refreshed, all for real.

    python -m bench.connect --connections 500 --people 50 --rounds 3

A scheduler that refreshes, a web process with the pages, an OAuth server that asks and rotates: all on
this machine, beside the visitors. Windows without visitors and with them take turns in one run, so that
a noisy minute hits both. Read ratios.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
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
    pages: int = 0
    page_p50: float | None = None
    page_p99: float | None = None
    page_max: float | None = None


def main() -> None:
    """Runs what was asked for; prints a table, or JSON."""
    given = _options().parse_args()
    plan = Plan(connections=given.connections, lifetime_seconds=given.lifetime, with_connect=True)
    about = machine()
    with set_up(plan, _say, **SETTINGS) as stage, pages(stage):
        # What visitors bring lives longer than the run: the refreshes are the same in all windows.
        stage.provider.change_options(code_token_lifetime_seconds=86_400)
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
    walks = _visited(stage, people, number, given.spread) if people else []
    took = monotonic() - began
    sleep(max(0.0, given.window - took))
    with stage.services.database.transaction() as db:
        done = statistics.refreshes_since(db, since)
        longest = longest_lateness_seconds(db, since)
    seconds = [seconds for walk in walks for seconds in walk.page_seconds]
    return Window(
        people,
        done.refreshed,
        _ms(done.lateness_p50_seconds),
        _ms(done.lateness_p99_seconds),
        _ms(longest),
        sum(walk.has_connected for walk in walks),
        round(took, 1),
        len(seconds),
        *(_ms(one) for one in _spread_of(seconds)),
    )


@dataclass(frozen=True, slots=True)
class Walk:
    """One person's way: whether it led to a connection, and how long each page of ours took."""

    has_connected: bool
    page_seconds: list[float]


def _visited(stage: Stage, people: int, number: int, spread_seconds: float) -> list[Walk]:
    barrier = Barrier(people)

    def walk(person: int) -> Walk:
        account = f"person-{number}-{person}"
        order = Order(organization_id="demo", provider=NAME, external_id=account, scopes=("read",))
        made = connect.make(stage.services, order, BY)
        address = f"203.0.113.{person % 250 + 1}"
        with Browser({PUBLIC_URL: f"http://127.0.0.1:{stage.port}"}, address=address) as browser:
            browser.open(f"{stage.provider.url}/login?account={account}")
            barrier.wait()
            sleep(spread_seconds * person / people)
            browser.open(made.url)
            browser.submit()
            browser.submit("Allow")
            ours = [s for path, s in browser.timings if path.startswith("/connect/")]
        session = connect.find(stage.services, made.session.id, BY)
        return Walk(session.outcome is Outcome.CONNECTED, ours)

    with ThreadPoolExecutor(people) as pool:
        return list(pool.map(walk, range(people)))


def _spread_of(seconds: list[float]) -> tuple[float | None, float | None, float | None]:
    if len(seconds) < 2:
        return None, None, None
    cuts = quantiles(seconds, n=100, method="inclusive")
    return cuts[49], cuts[98], max(seconds)


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 1)


def _table(windows: Iterable[Window]) -> str:
    lines = [
        "| people | refreshes | late p50 | p99 | longest | connected | pages | p50 | p99 | longest |",
        "|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for one in windows:
        late = f"{one.late_p50} ms | {one.late_p99} ms | {one.late_max} ms"
        seen = (
            f"{one.page_p50} ms | {one.page_p99} ms | {one.page_max} ms" if one.people else " | | "
        )
        lines.append(
            f"| {one.people} | {one.refreshed} | {late} | {one.connected} | {one.pages} | {seen} |"
        )
    return "\n".join(lines)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.connect", description=(__doc__ or ""))
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--connections", type=int, default=500, help="that are refreshed meanwhile")
    parser.add_argument("--lifetime", type=float, default=20.0, help="of their tokens, in seconds")
    parser.add_argument("--people", type=int, default=50, help="who connect at once")
    parser.add_argument("--spread", type=float, default=0.0, help="seconds in which they begin")
    parser.add_argument("--window", type=float, default=20.0, help="seconds of each window")
    parser.add_argument("--rounds", type=int, default=3, help="a window without, one with people")
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser


if __name__ == "__main__":
    main()
