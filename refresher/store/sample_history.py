"""Reads `look_sample`: some hours folded to so many points, what is due, and the last ten minutes."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime, timedelta

from refresher.store.samples import SLOT_SECONDS
from refresher.store.session import Db, first, many, one, run

MOST_POINTS = 120
FRESH_SECONDS = 60.0
"""The newest sample ends a chart while it is no older than this; otherwise now does."""
DUE_SECONDS = 300.0
"""How long a look at what is due stands for now."""
LATELY_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class HistoryPoint:
    """What one part of the time came to, from `at` on; all null: nobody took samples then.

    Of all providers: rates, lateness, and the most that were late or leased at once. Of one provider:
    rates, and the time to its answers. Rates and p50 are means, p99 is the highest of its samples.
    """

    at: datetime
    refreshed_per_second: float | None = None
    failed_per_second: float | None = None
    lateness_p50_seconds: float | None = None
    lateness_p99_seconds: float | None = None
    late: int | None = None
    leased: int | None = None
    answer_p50_seconds: float | None = None
    answer_p99_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class DueCurve:
    """How many refreshes fall due in each of the 60 minutes from `at` on.

    `fastest_per_minute` is what the fastest minute of the last day did; null: there is none.
    """

    at: datetime
    per_minute: list[int]
    fastest_per_minute: float | None


@dataclass(frozen=True, slots=True)
class History:
    """The time from `since` to `until` in points of `step_seconds` each."""

    since: datetime
    until: datetime
    step_seconds: float
    provider: str | None
    points: list[HistoryPoint]
    due: DueCurve | None


_OF_ALL = """
    select floor(extract(epoch from at - :since) / :step)::int as place,
        avg(refreshed_per_second)::float8 as refreshed_per_second,
        avg(failed_per_second)::float8 as failed_per_second,
        avg(lateness_p50_seconds)::float8 as lateness_p50_seconds,
        max(lateness_p99_seconds)::float8 as lateness_p99_seconds,
        max(late) as late, max(leased) as leased,
        null::float8 as answer_p50_seconds, null::float8 as answer_p99_seconds
    from look_sample where at >= :since and at < :until group by 1
    """
_OF_ONE = """
    with told as materialized (
        select at, providers -> cast(:provider as text) as p
        from look_sample where at >= :since and at < :until
    ), slot as (
        select at, coalesce((p ->> 0)::float8, 0) as refreshed,
            coalesce((p ->> 1)::float8, 0) as failed,
            (p ->> 2)::float8 as p50, (p ->> 3)::float8 as p99 from told
    )
    select floor(extract(epoch from at - :since) / :step)::int as place,
        avg(refreshed) / :slot as refreshed_per_second, avg(failed) / :slot as failed_per_second,
        null::float8 as lateness_p50_seconds, null::float8 as lateness_p99_seconds,
        null::int as late, null::int as leased,
        sum(p50 * (refreshed + failed)) filter (where p50 is not null)
            / nullif(sum(refreshed + failed) filter (where p50 is not null), 0) as answer_p50_seconds,
        max(p99) as answer_p99_seconds
    from slot group by 1
    """
_UNTIL = """
    select coalesce(
        (select at + :slot * interval '1 second' from look_sample
         where at > refresher_now() - :fresh * interval '1 second' order by at desc limit 1),
        to_timestamp(floor(extract(epoch from refresher_now()) / :slot) * :slot))
    """


def read(db: Db, hours: float, provider: str | None = None) -> History:
    """Returns so many hours in 120 points at most, of all providers or of one."""
    until = one(db, datetime, _UNTIL, slot=SLOT_SECONDS, fresh=FRESH_SECONDS)
    since = until - timedelta(hours=hours)
    step = max(SLOT_SECONDS, hours * 3600.0 / MOST_POINTS)
    sql = _OF_ALL if provider is None else _OF_ONE
    given = {"since": since, "until": until, "step": step, "slot": SLOT_SECONDS}
    names = [f.name for f in fields(HistoryPoint) if f.name != "at"]
    found = {
        row.place: {name: getattr(row, name) for name in names}
        for row in run(db, sql, provider=provider, **given)
    }
    points = [
        HistoryPoint(since + timedelta(seconds=step * place), **found.get(place, {}))
        for place in range(round(hours * 3600.0 / step))
    ]
    return History(since, until, step, provider, points, None if provider else due(db))


_DUE = """
    select at + :slot * interval '1 second' as at, due as per_minute,
        (select max(minute) from (
            select avg(refreshed_per_second) * 60 as minute from look_sample
            where at > refresher_now() - interval '1 day'
            group by floor(extract(epoch from at) / 60)) m)::float8 as fastest_per_minute
    from look_sample
    where due is not null and at > refresher_now() - :fresh * interval '1 second'
    order by at desc limit 1
    """


def due(db: Db) -> DueCurve | None:
    """Returns what falls due in the next hour; None where nobody has looked lately."""
    return first(db, DueCurve, _DUE, slot=SLOT_SECONDS, fresh=DUE_SECONDS)


@dataclass(frozen=True, slots=True)
class Lately:
    """What a provider did in the last ten minutes; the times are None where it answered nothing."""

    provider: str
    refreshed: float
    failed: float
    per_second: float
    answer_p50_seconds: float | None
    answer_p99_seconds: float | None

    @property
    def failed_share(self) -> float | None:
        """The share of the answers that brought no token; None: there were none."""
        answers = self.refreshed + self.failed
        return self.failed / answers if answers else None


_LATELY = """
    with slot as materialized (
        select at, providers from look_sample
        where at > refresher_now() - :lately * interval '1 second'
    ), told as (
        select p.key as provider, (p.value ->> 0)::float8 as refreshed,
            (p.value ->> 1)::float8 as failed, (p.value ->> 2)::float8 as p50,
            (p.value ->> 3)::float8 as p99
        from slot cross join lateral jsonb_each(providers) p
    )
    select provider, sum(refreshed) as refreshed, sum(failed) as failed,
        sum(refreshed) / ((select count(*) from slot) * :slot) as per_second,
        sum(p50 * (refreshed + failed)) filter (where p50 is not null)
            / nullif(sum(refreshed + failed) filter (where p50 is not null), 0) as answer_p50_seconds,
        max(p99) as answer_p99_seconds
    from told group by 1
    """


def lately(db: Db) -> dict[str, Lately]:
    """Returns what each provider did in the last ten minutes, by its name."""
    found = many(db, Lately, _LATELY, lately=LATELY_SECONDS, slot=SLOT_SECONDS)
    return {one_of.provider: one_of for one_of in found}
