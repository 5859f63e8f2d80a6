"""What open dashboards cost: the same refreshes with fifty of them open, and with none.

    python -m bench.dashboard_cost --rounds 6

The real processes, all on this machine: scheduler, workers, `python -m refresher.web`. Half of the
dashboards show the overview, half a connection each; each asks for news every 5 s, as its script does.
Both ways take turns within one run, so that a noisy minute hits both.
"""

from __future__ import annotations

import argparse
import http.client
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from statistics import median
from urllib.parse import urlencode
from uuid import UUID

from bench import page
from bench.api import await_health, free_port
from bench.refreshes import statements as sql
from bench.refreshes import usage
from bench.refreshes.plan import BenchFailed, Plan, check
from bench.refreshes.report import machine
from bench.refreshes.run import until, watch
from bench.refreshes.stage import Stage, set_up, start_processes
from refresher.connections import api_keys
from refresher.rules.access import Actor, Scope
from refresher.store.connections import Filter, views
from refresher.store.session import Db

POLL_SECONDS = 5.0
SESSIONS = 5
SETTLE_SECONDS = 5.0
"""So long dashboards are open before the time counts: their first looks are taken by then."""


@dataclass
class Polls:
    """What the dashboards were answered: how long each took, and how it went."""

    seconds: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)


class Dashboards:
    """So many open pages; one thread asks for all of them, each at its time."""

    def __init__(self, port: int, cookies: Sequence[str], paths: Sequence[str]) -> None:
        self._port, self._cookies, self._paths = port, cookies, paths
        self.polls = Polls()

    @contextmanager
    def open(self) -> Iterator[None]:
        """Has them open within the block."""
        stop = threading.Event()
        thread = threading.Thread(target=self._poll, args=(stop,))
        thread.start()
        time.sleep(SETTLE_SECONDS)
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def _poll(self, stop: threading.Event) -> None:
        server = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        tags: dict[int, str] = {}
        step, number, began = POLL_SECONDS / len(self._paths), 0, time.monotonic()
        while not stop.wait(max(0.0, began + number * step - time.monotonic())):
            place = number % len(self._paths)
            self._ask(server, place, tags)
            number += 1
        server.close()

    def _ask(self, server: http.client.HTTPConnection, place: int, tags: dict[int, str]) -> None:
        headers = {"Cookie": self._cookies[place % len(self._cookies)]}
        if tag := tags.get(place):
            headers["If-None-Match"] = tag
        asked = time.perf_counter()
        server.request("GET", self._paths[place], headers=headers)
        answer = server.getresponse()
        answer.read()
        self.polls.seconds.append(time.perf_counter() - asked)
        self.polls.statuses[answer.status] += 1
        tags[place] = answer.headers.get("etag", "")


@dataclass(frozen=True, slots=True)
class Spent:
    """One turn: refreshes a second, and the processor time of one refresh by kind of process."""

    per_second: float
    cpu_microseconds: dict[str, float]

    @property
    def cpu(self) -> float:
        """The processor time of all of them together."""
        return sum(self.cpu_microseconds.values())


def main() -> int:
    """Prints a line a turn and a table, and puts the table into docs/performance.md."""
    given = _options().parse_args()
    say = partial(print, file=sys.stderr, flush=True)
    plan = check(Plan(connections=given.connections, processes=given.processes))
    turns: dict[bool, list[Spent]] = {True: [], False: []}
    with set_up(plan, say) as stage:
        kinds = {**start_processes(stage, say), **stage.kinds}
        port = free_port()
        kinds["web"] = _start_web(stage, port)
        dashboards = Dashboards(port, *_people(stage, port, given.dashboards))
        with stage.services.database.session() as db:
            sql.leave_uncounted(db)
            for number in range(2 * given.rounds + 1):
                is_open = number % 4 in {2, 3}  # none, open, open, none
                with dashboards.open() if is_open else nullcontext():
                    spent = _turn(stage, db, kinds)
                if number:  # the first fills pools and loads modules
                    turns[is_open].append(spent)
                say(_told(is_open, spent))
        stage.crew.stop()
    told = table(turns, dashboards.polls, given)
    print(told)
    if not given.no_write:
        page.put("dashboards", told)
    return 0


def table(turns: dict[bool, list[Spent]], polls: Polls, given: argparse.Namespace) -> str:
    """Returns what was spent in Markdown: medians, and what the open ones cost."""
    none, some = turns[False], turns[True]
    rate = {way: median(one.per_second for one in turns[way]) for way in turns}
    cpu = {way: median(one.cpu for one in turns[way]) for way in turns}
    ordered = sorted(polls.seconds)
    p50, p99 = (1000 * ordered[int(len(ordered) * share)] for share in (0.5, 0.99))
    statuses = ", ".join(
        f"{count:,} with {status}" for status, count in polls.statuses.most_common()
    )
    about = machine()
    head = ["| dashboards open | refreshes/s | | CPU a refresh | |", "|---|---:|---:|---:|---:|"]
    rows = [
        f"| none | {rate[False]:,.0f} | | {cpu[False]:,.0f} µs | |",
        (
            f"| {given.dashboards} | {rate[True]:,.0f} | {rate[True] / rate[False] - 1:+.1%} | "
            f"{cpu[True]:,.0f} µs | {cpu[True] / cpu[False] - 1:+.1%} |"
        ),
    ]
    foot = (
        f"Medians of {len(none)} and {len(some)} turns of {given.connections:,} refreshes; "
        f"{about['cpus']} processors, Python {about['python']}. CPU is that of all processes together. "
        f"A page asks for its news every {POLL_SECONDS:g} s: p50 {p50:.0f} ms, p99 {p99:.0f} ms; "
        f"{statuses}."
    )
    return "\n".join([*head, *rows, "", foot])


def _told(is_open: bool, spent: Spent) -> str:  # noqa: FBT001  one of two ways
    kinds = ", ".join(f"{kind} {used:.0f}" for kind, used in sorted(spent.cpu_microseconds.items()))
    way = "open" if is_open else "none"
    return f"{way}: {spent.per_second:,.0f} refreshes/s, {spent.cpu:,.0f} µs of CPU each ({kinds})"


def _turn(stage: Stage, db: Db, kinds: dict[str, int]) -> Spent:
    """Has every connection be refreshed once."""
    after, began = sql.newest_event(db), time.monotonic()
    sql.schedule_for_tomorrow(db)
    due_at = sql.make_due(db, 3.0 + 2.0 * (time.monotonic() - began), count=stage.plan.wanted)
    until(stage, db, due_at)
    before = usage.cpu_seconds(kinds)
    ended_at, finished = watch(stage, db, after, stage.plan.wanted)
    used = usage.cpu_seconds(kinds)
    if not finished:
        raise BenchFailed("not all were refreshed")
    return _spent(stage.plan.wanted, due_at, ended_at, {k: used[k] - before[k] for k in kinds})


def _spent(count: int, due_at: datetime, ended_at: datetime, used: dict[str, float]) -> Spent:
    seconds = max(0.001, (ended_at - due_at).total_seconds())
    return Spent(count / seconds, {kind: one / count * 1e6 for kind, one in used.items()})


def _start_web(stage: Stage, port: int) -> int:
    environment = stage.environment | {"PORT": str(port), "REFRESHER_HOST": "127.0.0.1"}
    web = stage.crew.start("web", ["refresher.web"], environment)
    await_health(port)
    assert web.pid is not None
    return web.pid


def _people(stage: Stage, port: int, number: int) -> tuple[list[str], list[str]]:
    """Signs people in; returns their cookies, and what their pages ask for."""
    database = stage.services.database
    by = Actor("cli:bench")
    made = api_keys.create(database, name="bench", scopes=[Scope.READ, Scope.WRITE], by=by)
    cookies = [_sign_in(port, made.text.reveal()) for _ in range(SESSIONS)]
    ids = _some(stage, number // 2)
    paths = [f"/ui/live/connections/{one}" for one in ids]
    return cookies, [*paths, *["/ui/live/overview"] * (number - len(paths))]


def _some(stage: Stage, number: int) -> list[UUID]:
    with stage.services.database.transaction() as db:
        return [one.id for one in views(db, Filter(), limit=number)]


def _sign_in(port: int, key: str) -> str:
    server = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    origin = f"http://127.0.0.1:{port}"
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Origin": origin}
    server.request("POST", "/ui/sign-in", urlencode({"key": key, "next": ""}), headers)
    answer = server.getresponse()
    answer.read()
    server.close()
    cookie = str(answer.headers.get("set-cookie", "")).partition(";")[0]
    if answer.status != 303 or not cookie:
        raise BenchFailed(f"signing in was answered {answer.status}")
    return cookie


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.dashboard_cost", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--rounds", type=int, default=6, help="turns of each way")
    parser.add_argument("--connections", type=int, default=60_000, help="refreshed once a turn")
    parser.add_argument("--processes", type=int, default=2, help="worker processes")
    parser.add_argument("--dashboards", type=int, default=50, help="so many are open")
    parser.add_argument("--no-write", action="store_true", help="print only")
    return parser


if __name__ == "__main__":
    sys.exit(main())
