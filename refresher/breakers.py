"""Remembers, for this process, how many replies in a row each provider failed to give.

The decision is `rules/breaker.py`'s, the pause itself is a row in Postgres that every process sees.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from refresher.rules.breaker import BreakerPolicy, opens
from refresher.rules.decision import PauseOrder
from refresher.store.settlement import Settlement

FAILURES = frozenset({"transient", "malformed"})
ANSWERS = frozenset({"refreshed", "revoked", "misconfigured", "rate_limited"})


class Breakers:
    """Counts failures in a row by provider; safe to use from several threads."""

    def __init__(self, policy: BreakerPolicy) -> None:
        self._policy = policy
        self._lock = threading.Lock()
        self._failures: Counter[str] = Counter()

    def observe(self, settlements: Sequence[Settlement]) -> list[Settlement]:
        """Returns the settlements, those that open a breaker with the pause that follows."""
        with self._lock:
            return [self._observed(s) for s in settlements]

    def _observed(self, s: Settlement) -> Settlement:
        provider = s.row.connection.provider
        if s.kind in ANSWERS:
            del self._failures[provider]
            return s
        if s.kind not in FAILURES or s.pause is not None:
            return s
        self._failures[provider] += 1
        refusals = next((p.refusals for p in s.row.pauses if p.scope == "provider"), 0)
        opened = opens(self._policy, self._failures[provider], refusals)
        if opened is None:
            return s
        del self._failures[provider]
        order = PauseOrder("provider", opened.seconds, opened.refusals, f"unanswered: {s.reason}")
        return replace(s, pause=order, postponed_by=f"provider:{provider}")
