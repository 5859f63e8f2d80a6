"""What came of a demo: figures of the database, and the word of the other side's referee.

Nothing is counted by the demo itself. Lateness and expired seconds are those of `refresh_event`;
"lost" and "twice" are judged by the OAuth server, to which every stored pair is shown.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rich.table import Table

from refresher.devkit.demo.stage import Stage
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

    @property
    def double_spends(self) -> int:
        """Refresh tokens presented again after they were spent, which the provider held against us."""
        return self.presented_twice - self.forgiven

    @property
    def is_good(self) -> bool:
        """Whether something was refreshed, and nothing lost or spent twice."""
        return self.refreshed > 0 and self.lost == 0 and self.double_spends == 0

    def as_json(self) -> dict[str, float | None]:
        """Returns the line of `--json`."""
        return {
            "connections": self.connections,
            "refreshed": self.refreshed,
            "expired_seconds": self.expired_seconds,
            "lost": self.lost,
            "double_spends": self.double_spends,
            "lateness_p50_ms": self.lateness_p50_ms,
            "lateness_p99_ms": self.lateness_p99_ms,
        }


def judge(stage: Stage) -> DemoVerdict:
    """Returns the verdict; call it when the scheduler has stopped, so that nothing moves."""
    judged = list(stage.provider.judge(_opened(stage.services)))
    with stage.services.database.transaction() as db:
        refreshes = statistics.refreshes_since(db, stage.started_at)
    served = stage.provider.served()
    still_expired = sum(word.expired_for_seconds or 0.0 for word in judged)
    return DemoVerdict(
        connections=stage.plan.connections,
        refreshed=refreshes.refreshed,
        expired_seconds=round(refreshes.expired_seconds + still_expired, 3),
        lost=stage.plan.connections - sum(map(_is_good, judged)),
        presented_twice=served.presented_twice,
        forgiven=served.replayed_in_grace,
        lateness_p50_ms=_milliseconds(refreshes.lateness_p50_seconds),
        lateness_p99_ms=_milliseconds(refreshes.lateness_p99_seconds),
    )


def table(verdict: DemoVerdict) -> Table:
    """Returns the closing summary as people read it: what, how much, and who says so."""
    made = Table(title="What came of it", title_justify="left", title_style="bold")
    made.add_column("")
    made.add_column("", justify="right")
    made.add_column("according to", style="dim")
    made.add_row("connections", f"{verdict.connections:,}", "this demo")
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
