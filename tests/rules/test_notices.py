"""What people are told and when, as tables."""

import pytest

from refresher.rules.notices import (
    DAY_SECONDS,
    ExpiryLook,
    Kind,
    NewsState,
    Nothing,
    Notice,
    SubjectScope,
    Tell,
    TellLater,
    ToldBefore,
    delay_cause,
    end_is_news,
    expiring,
    verdict,
)

WELL, DEAD, DELAYED = (
    NewsState.WELL,
    NewsState.RECONNECT_REQUIRED,
    NewsState.REFRESH_DELAYED,
)
MISCONFIGURED = NewsState.MISCONFIGURED
HOUR = 3600.0


@pytest.mark.parametrize(
    ("scope", "so", "standing", "expected"),
    [
        ("connection", DEAD, ToldBefore(), Tell(Kind.RECONNECT_REQUIRED)),
        ("connection", DELAYED, ToldBefore(), Tell(Kind.REFRESH_DELAYED)),
        ("app", MISCONFIGURED, ToldBefore(), Tell(Kind.APP_MISCONFIGURED)),
        # not for each failure
        ("connection", DEAD, ToldBefore(DEAD, 10.0), Nothing()),
        ("app", MISCONFIGURED, ToldBefore(MISCONFIGURED, 9_999.0), Nothing()),
        # a recovery only of what was told
        ("connection", WELL, ToldBefore(), Nothing()),
        ("connection", WELL, ToldBefore(WELL, 100.0, 50.0), Nothing()),
        ("connection", WELL, ToldBefore(DEAD, 1.0), Tell(Kind.RECOVERED)),
        ("app", WELL, ToldBefore(MISCONFIGURED, 1.0), Tell(Kind.APP_RECOVERED)),
        # the same kind again only after a while
        ("connection", DEAD, ToldBefore(WELL, 100.0, 50.0), TellLater(200.0)),
        ("connection", DEAD, ToldBefore(WELL, 300.0, 250.0), Tell(Kind.RECONNECT_REQUIRED)),
        ("app", WELL, ToldBefore(MISCONFIGURED, 10.0, 60.0), TellLater(240.0)),
        ("app", WELL, ToldBefore(MISCONFIGURED, 10.0, 300.0), Tell(Kind.APP_RECOVERED)),
        # worse news are not held back
        ("connection", DEAD, ToldBefore(DELAYED, 5.0), Tell(Kind.RECONNECT_REQUIRED)),
    ],
)
def test_a_change_is_told_once_and_a_flapping_one_later(
    scope: SubjectScope, so: NewsState, standing: ToldBefore, expected: Notice
) -> None:
    """What is so, against what people believe and when they were told."""
    assert verdict(scope, so, standing) == expected


def test_a_mend_without_proof_must_stand_for_a_while() -> None:
    """A new client secret may be wrong as well: operators hear of it when it has stood a minute."""
    standing = ToldBefore(MISCONFIGURED, 1_000.0)
    assert verdict("app", WELL, standing, proven=False) == TellLater(60.0)
    assert verdict("app", WELL, ToldBefore(), proven=False) == Nothing()


def test_twenty_failures_in_ten_minutes_are_a_handful_of_notices() -> None:
    """A provider that flaps every 15 s is told of six times, and the last word is what is so."""
    told, trouble_at, recovery_at = WELL, None, None
    news: list[tuple[float, Kind]] = []
    for step in range(41):  # 20 failures, 20 recoveries, and then all is well
        at, so = step * 15.0, WELL if step % 2 or step == 40 else MISCONFIGURED
        standing = ToldBefore(
            told,
            None if trouble_at is None else at - trouble_at,
            None if recovery_at is None else at - recovery_at,
        )
        match verdict("app", so, standing):
            case Tell(kind):
                news.append((at, kind))
                told = so
                trouble_at, recovery_at = (trouble_at, at) if so is WELL else (at, recovery_at)
    assert news == [
        (0.0, Kind.APP_MISCONFIGURED),
        (15.0, Kind.APP_RECOVERED),
        (300.0, Kind.APP_MISCONFIGURED),
        (315.0, Kind.APP_RECOVERED),
    ]


@pytest.mark.parametrize(
    ("postponed_by", "cause"),
    [
        (None, "provider_failing"),
        ("provider:google", "provider_paused"),
        ("app:google/default", "app_refused"),
    ],
)
def test_a_delay_tells_its_cause(postponed_by: str | None, cause: str) -> None:
    """Whether the provider fails, asked us to wait, or refuses our app."""
    assert delay_cause(postponed_by) == cause


@pytest.mark.parametrize(
    ("days_left", "told_days", "expected_days", "again_in_days"),
    [
        (365.0, None, None, 335.0),
        (31.0, None, None, 1.0),
        (30.0, None, 30, 23.0),
        (29.0, 30, None, 22.0),
        (7.0, 30, 7, 6.0),
        (6.0, None, 7, 5.0),
        (1.0, 7, 1, 1.0),
        (0.5, 1, None, 0.5),
        (0.5, 7, 1, 0.5),
        (0.0, 1, None, None),
        (-3.0, None, None, None),
    ],
)
def test_an_end_is_told_thirty_seven_and_one_day_ahead(
    days_left: float, told_days: int | None, expected_days: int | None, again_in_days: float | None
) -> None:
    """Each notice once, and the next look exactly when the next notice is due."""
    again = None if again_in_days is None else again_in_days * DAY_SECONDS
    assert expiring(days_left * DAY_SECONDS, told_days) == ExpiryLook(expected_days, again)


@pytest.mark.parametrize(
    ("slides", "before", "after", "expected"),
    [
        (False, None, 90.0, True),
        (False, -1.0, 90.0, True),
        (False, 90 * HOUR, 10 * HOUR, True),
        (False, 90 * HOUR, 90 * HOUR - 60, False),
        (False, 90 * HOUR, 120 * HOUR, False),
        (False, 90 * HOUR, None, False),
        (False, None, None, False),
        (True, None, 90.0, False),
    ],
)
def test_only_an_end_that_nobody_watches_is_written(
    slides: bool, before: float | None, after: float | None, expected: bool
) -> None:
    """A refresh touches the table of ends only for a first end, or a nearer one."""
    told = end_is_news(slides=slides, left_before_seconds=before, left_after_seconds=after)
    assert told is expected
