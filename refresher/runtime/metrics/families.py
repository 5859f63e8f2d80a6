"""The counters and histograms of one process: what each is called, and its labels.

Provider labels come from the catalogue only, so the number of series is bounded. The table in
`docs/monitoring.md` explains each; a test compares it with a real scrape.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter as Tally
from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, Histogram

LATENCY_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 60)
LATENESS_BUCKETS = (0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300, 900, 3600, 14_400)
ROWS_BUCKETS = (1, 2, 5, 10, 20, 50, 100, 200, 500)
TICK_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class BatchHistogram(Histogram):
    """A histogram that takes many values at once: one addition for each bucket that they fall into."""

    def observe_many(self, amounts: Sequence[float]) -> None:
        """Observes all `amounts`; one below zero counts as zero."""
        self._raise_if_not_observable()  # type: ignore[no-untyped-call]
        given = [max(0.0, amount) for amount in amounts]
        hits = Tally(bisect_left(self._upper_bounds, amount) for amount in given)
        for position, count in hits.items():
            self._buckets[position].inc(count)
        self._sum.inc(sum(given))


class Families:
    """All of them, registered in `registry`."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        self.refreshes = self._counter(
            "refreshes", "Rows settled, by provider and outcome.", "provider", "outcome"
        )
        self.exchange = self._histogram(
            "exchange_seconds",
            "From sending a token request to its reply or failure.",
            LATENCY_BUCKETS,
            "provider",
        )
        self.lateness = self._histogram(
            "lateness_seconds", "How long after its due time a refresh began.", LATENESS_BUCKETS
        )
        self.commit_rows = self._histogram(
            "commit_rows", "Rows settled by one commit.", ROWS_BUCKETS
        )
        self.claims = self._counter("claims", "Rows claimed because they were due.")
        self.consents = self._counter(
            "consents", "Consents that came back, by provider and outcome.", "provider", "outcome"
        )
        self._add_what_goes_wrong()
        self._add_jobs()

    def _add_what_goes_wrong(self) -> None:
        self.stale = self._counter(
            "stale_claims", "Claims that were no longer held when they came."
        )
        self.swept = self._counter("leases_swept", "Leases that ended without an outcome.", "kind")
        self.deaths = self._counter(
            "process_deaths", "Processes found dead by their liveness lock."
        )
        self.fenced = self._counter(
            "fenced_commits", "Outcomes that a newer token pair fenced off."
        )
        self.unwritable = self._counter(
            "unwritable_outcomes", "Outcomes that Postgres refused to take."
        )
        self.expired = self._counter(
            "expired_seconds", "Seconds that tokens had been dead when their successor came."
        )
        self.pauses = self._counter(
            "pauses", "Pauses ordered, by provider and cause.", "provider", "cause"
        )

    def _add_jobs(self) -> None:
        self.tick_seconds = self._histogram(
            "tick_seconds", "How long a scheduler's job took.", TICK_BUCKETS, "job_name"
        )
        self.tick_failures = self._counter(
            "tick_failures", "Jobs that failed and come again.", "job_name"
        )

    def _counter(self, name: str, help_: str, *labels: str) -> Counter:
        return Counter(f"refresher_{name}", help_, labels, registry=self._registry)

    def _histogram(
        self, name: str, help_: str, buckets: Sequence[float], *labels: str
    ) -> BatchHistogram:
        return BatchHistogram(
            f"refresher_{name}", help_, labels, registry=self._registry, buckets=buckets
        )
