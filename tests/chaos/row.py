"""One line of the table: what was done, what came of it, and which promises were not kept.

A fault is a function that takes a `Bench` and returns a `Row`; `faults.py` lists them all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from statistics import median

from tests.chaos.deployment import Deployment
from tests.chaos.ground import Ground
from tests.chaos.referee import Verdict, judge


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table. It is good when `broken` is empty.

    `told` are losses that the promise excepts (no grace, reply in flight) and that were told as
    `interrupted`; every other loss is in `lost`.
    """

    fault: str
    times: int
    refreshes: int
    lost: int = 0
    told: int = 0
    double_spent: int = 0
    parked_wrongly: int = 0
    recoveries: tuple[float, ...] = ()
    note: str = ""
    broken: tuple[str, ...] = ()

    @property
    def recovery_p50(self) -> float | None:
        """The median time to recovery in seconds."""
        return median(self.recoveries) if self.recoveries else None

    @property
    def recovery_max(self) -> float | None:
        """The longest time to recovery in seconds."""
        return max(self.recoveries, default=None)

    def as_json(self) -> dict[str, object]:
        """Returns plain values."""
        return {
            **asdict(self),
            "recovery_p50_seconds": self.recovery_p50,
            "recovery_max_seconds": self.recovery_max,
        }


@dataclass(frozen=True)
class Bench:
    """What a fault is given: a ground of its own, how much to do, and whom to tell of progress."""

    ground: Ground
    title: str
    times: int
    scale: float
    advance: Callable[[], None]

    def seconds(self, full: float, least: float) -> float:
        """Returns how long to go on, at this scale."""
        return max(least, full * self.scale)

    def conclude(
        self,
        deployment: Deployment,
        recoveries: Sequence[float] = (),
        *,
        told_allowed: bool = False,
        note: str = "",
        broken: Sequence[str] = (),
    ) -> Row:
        """Stops the deployment, has it judged, and returns the line."""
        deployment.settle_down()
        verdict = judge(deployment)
        lost = verdict.lost if told_allowed else verdict.lost + verdict.interrupted
        return Row(
            fault=self.title,
            times=self.times,
            refreshes=verdict.refreshes,
            lost=lost,
            told=verdict.interrupted if told_allowed else 0,
            double_spent=verdict.double_spent,
            parked_wrongly=verdict.parked_wrongly,
            recoveries=tuple(recoveries),
            note=note,
            broken=(*_faults(verdict, lost), *verdict.broken, *broken),
        )


def _faults(verdict: Verdict, lost: int) -> list[str]:
    found = {
        "lost": lost,
        "double-spent": verdict.double_spent,
        "parked wrongly": verdict.parked_wrongly,
        "no refresh at all": int(verdict.refreshes == 0),
    }
    return [f"{number} {what}" for what, number in found.items() if number]
