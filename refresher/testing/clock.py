"""A clock that stands where a test puts it: the one of every due date, lease and expiry."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from refresher.devkit.oauth_server import FakeProvider
from refresher.store.session import Database

START = datetime(2030, 1, 1, 12, 0, tzinfo=UTC)


class FrozenClock:
    """The time of one `Database` object, and of the fake provider beside it where there is one.

    Every comparison of times happens in Postgres (`refresher_now()`), so nothing else must be patched.
    Other processes, and other `Database` objects, keep the real time.
    """

    def __init__(
        self, database: Database, provider: FakeProvider | None = None, *, at: datetime = START
    ) -> None:
        self._database = database
        self._provider = provider
        self.set(at)

    @property
    def now(self) -> datetime:
        """The instant at which it stands, aware UTC."""
        now = self._database.simulated_now
        assert now is not None
        return now

    def set(self, now: datetime) -> None:
        """Puts it to an aware instant, and leaves the provider's clock as it is."""
        if now.tzinfo is None:
            raise ValueError("give an aware instant: datetime(..., tzinfo=UTC)")
        self._database.simulated_now = now

    def advance(self, seconds: float) -> None:
        """Lets so many seconds pass, for the database and for the provider's tokens."""
        if seconds < 0:
            raise ValueError(f"time goes forwards: {seconds:g} seconds were asked for")
        self.set(self.now + timedelta(seconds=seconds))
        if self._provider is not None:
            self._provider.admin.advance_clock(seconds)
