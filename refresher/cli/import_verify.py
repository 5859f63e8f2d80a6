"""One refresh each after an import, paced, so that dead grants are known at once.

By the way of every refresh on demand: a rotated token is stored as always, and who is interrupted has
lost nothing: the others are refreshed when they are due.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from uuid import UUID

from refresher.cli import working
from refresher.cli.output import note, table
from refresher.cli.progress import progress
from refresher.errors import TokenUnavailable
from refresher.refresh.on_demand import OnDemand
from refresher.rules.connection import ParkReason
from refresher.rules.history import SUCCESSES
from refresher.runtime.services import Services

AT_ONCE = 16
WAIT_SECONDS = 60.0
DEAD = frozenset({"revoked", ParkReason.RECONNECT_REQUIRED.value})
MORE = "`refresher connections bulk refresh` goes on with them, and so does time"


@dataclass(slots=True)
class Verified:
    """What came of it. `dead` are line, id and reason; `unsure` counts the others by why."""

    alive: int = 0
    dead: list[tuple[int, UUID, str]] = field(default_factory=list)
    unsure: Counter[str] = field(default_factory=Counter)
    left: int = 0

    def as_json(self) -> dict[str, object]:
        """Returns it for machines."""
        dead = [{"line": line, "id": id_, "reason": why} for line, id_, why in sorted(self.dead)]
        unsure = {str(why): count for why, count in sorted(self.unsure.items())}
        return {"alive": self.alive, "dead": dead, "unsure": unsure, "left": self.left}

    def take(self, line: int, connection_id: UUID, outcome: str, reason: str | None) -> None:
        """Counts one."""
        if outcome in SUCCESSES:
            self.alive += 1
        elif outcome in DEAD:
            self.dead.append((line, connection_id, reason or outcome))
        else:
            self.unsure[outcome] += 1


def verify(
    services: Services, wanted: Sequence[tuple[int, UUID]], rate_per_second: float
) -> Verified:
    """Refreshes each of `wanted` (its line, its id); a signal ends it after those under way."""
    found = Verified(left=len(wanted))
    with (
        working.on_demand_held(services) as on_demand,
        ThreadPoolExecutor(AT_ONCE) as pool,
        progress(lambda: len(wanted)) as moved,
    ):
        started, under_way = time.monotonic(), dict[Future[tuple[str, str | None]], int]()
        for number, (_, id_) in enumerate(wanted):
            until = started + number / rate_per_second
            while (left := until - time.monotonic()) > 0 or len(under_way) >= AT_ONCE:
                _gather(found, wanted, under_way, max(left, 0.01))
            if services.stopping.is_set():
                break
            under_way[pool.submit(_refresh, on_demand, id_)] = number
            moved(number, f"{found.alive:,} alive, {len(found.dead):,} dead")
        while under_way:
            _gather(found, wanted, under_way, 1.0)
    if found.left:
        note(f"{found.left:,} are not verified: {MORE}.")
    return found


def _gather(
    found: Verified,
    wanted: Sequence[tuple[int, UUID]],
    under_way: dict[Future[tuple[str, str | None]], int],
    seconds: float,
) -> None:
    """Takes what has ended, and waits for the first such, so long at most."""
    if not under_way:
        time.sleep(seconds)
        return
    done, _ = wait(under_way, seconds, return_when=FIRST_COMPLETED)
    for one in done:
        line, id_ = wanted[under_way.pop(one)]
        found.take(line, id_, *one.result())
        found.left -= 1


def _refresh(on_demand: OnDemand, connection_id: UUID) -> tuple[str, str | None]:
    try:
        ending = on_demand.refresh_now(connection_id, wait_seconds=WAIT_SECONDS)
    except TokenUnavailable as error:
        return error.code, None
    return ending.outcome, ending.reason


def tell(found: Verified, unit: str) -> None:
    """Tells it to a person."""
    note(f"Verified: {found.alive:,} refreshed, {len(found.dead):,} dead.")
    for why, count in sorted(found.unsure.items()):
        note(f"{count:,} could not be verified now: {why}.")
    if found.dead:
        table([unit, "connection", "why it is dead"], sorted(found.dead))
