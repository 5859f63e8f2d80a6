"""What events and metrics cost: the same refreshes with them, without one, and without both.

    python -m bench.watching --rounds 10

Batches of 200 go through the story (reload, guard, refresh) in this process, at a real PostgreSQL and a
provider that answers at once. The ways take turns within each round, so that a noisy minute hits all of
them. No setting turns events off: here, and only here, the statement that writes them is left
out.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from unittest import mock

from bench import page
from bench.refreshes import statements, usage
from bench.refreshes.plan import Plan, check
from bench.refreshes.report import machine
from bench.refreshes.stage import Stage, set_up
from refresher.refresh.steps import refresh
from refresher.rules.connection import Claim
from refresher.runtime import services as wiring
from refresher.runtime.metrics import Meter
from refresher.runtime.services import Services
from refresher.settings import load
from refresher.store import settlement
from refresher.store.schedule import claim_due

BATCH, BATCHES, CONNECTIONS = 200, 10, 20_000
WAYS = {
    "events and metrics": (True, True),
    "no metrics": (True, False),
    "no events": (False, True),
    "neither": (False, False),
}


@dataclass(slots=True)
class Spent:
    """Processor time of everybody, and time on the clock."""

    refreshes: int = 0
    cpu_seconds: float = 0.0
    seconds: float = 0.0

    @property
    def cpu_microseconds(self) -> float:
        """The processor time of one refresh."""
        return self.cpu_seconds / self.refreshes * 1e6

    @property
    def per_second(self) -> float:
        """Refreshes a second, one batch after the other."""
        return self.refreshes / self.seconds


def main() -> int:
    """Prints a table and puts it into docs/performance.md."""
    given = _options().parse_args()
    plan = check(Plan(connections=CONNECTIONS, transport="in_process", processes=1))
    spent = {name: Spent() for name in WAYS}
    with set_up(plan, partial(print, file=sys.stderr)) as stage:
        os.environ.update(stage.environment)
        services = wiring.build(load())
        uncounted = replace(services, meter=Meter(services.catalogue.names, enabled=False))
        _spend(stage, services, Spent())  # connections are made, modules loaded
        for number in range(given.rounds):
            turn = list(WAYS)[number % len(WAYS) :] + list(WAYS)[: number % len(WAYS)]
            for name in turn:
                with_events, with_metrics = WAYS[name]
                with _events(written=with_events):
                    _spend(stage, services if with_metrics else uncounted, spent[name])
        services.close()
    print(table(spent))
    if not given.no_write:
        page.put("watching", table(spent))
    return 0


def table(spent: dict[str, Spent]) -> str:
    """Returns what was spent in Markdown; the last way is what the others are compared with."""
    bare = list(spent.values())[-1]
    rows = [
        f"| {name} | {one.cpu_microseconds:,.0f} µs | {one.cpu_seconds / bare.cpu_seconds - 1:+.1%} "
        f"| {one.per_second:,.0f} | {one.per_second / bare.per_second - 1:+.1%} |"
        for name, one in spent.items()
    ]
    head = ["| | CPU a refresh | | refreshes/s | |", "|---|---:|---:|---:|---:|"]
    about = machine()
    foot = (
        f"{bare.refreshes:,} refreshes each way, one batch of {BATCH} after the other in one process; "
        f"{about['cpus']} processors, Python {about['python']}. CPU is that of the process, "
        "PostgreSQL and the provider together."
    )
    return "\n".join([*head, *rows, "", foot])


def _spend(stage: Stage, services: Services, spent: Spent) -> None:
    batches = _claimed(services)
    before, began = _cpu(stage), time.perf_counter()
    for claims in batches:
        tally = refresh(services, claims)
        if tally["refreshed"] != len(claims):
            sys.exit(f"not all were refreshed: {dict(tally)}")
    spent.seconds += time.perf_counter() - began
    spent.cpu_seconds += _cpu(stage) - before
    spent.refreshes += BATCH * len(batches)


def _claimed(services: Services) -> list[Sequence[Claim]]:
    with services.database.transaction() as db:
        statements.make_some_due(db, BATCH * BATCHES)
    claimed: list[Sequence[Claim]] = []
    for _ in range(BATCHES):
        with services.database.transaction() as db:
            holder = services.holder_id
            claimed.append(claim_due(db, limit=BATCH, lease_seconds=600.0, holder_id=holder))
    return claimed


def _cpu(stage: Stage) -> float:
    return time.process_time() + sum(usage.cpu_seconds(stage.kinds).values())


@contextmanager
def _events(*, written: bool) -> Iterator[None]:
    if written:
        yield
        return
    with mock.patch.object(settlement, "append_events", autospec=True):
        yield


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.watching", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--rounds", type=int, default=10, help=f"of {BATCH * BATCHES:,} each way")
    parser.add_argument("--no-write", action="store_true", help="print only")
    return parser


if __name__ == "__main__":
    sys.exit(main())
