"""What an endpoint's answer means for a message and for the endpoint, as tables."""

from functools import reduce

import pytest

from refresher.rules.connection import TOO_LARGE, Reply
from refresher.rules.delivery import (
    GONE_REASON,
    Delivered,
    DeliveryOutcome,
    DeliveryPolicy,
    EndpointHealth,
    Failed,
    Gone,
    Result,
    observe,
    retry_in,
    understand,
)

POLICY = DeliveryPolicy()
DAY = 86_400.0
LATER = "Tue, 01 Jan 2030 12:01:00 GMT"
NOW = 1_893_499_200.0  # 2030-01-01 12:00 UTC


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (Reply(200), Delivered(200)),
        (Reply(204), Delivered(204)),
        (Reply(200, failure=TOO_LARGE), Delivered(200, "its answer was long, and not read to the end")),
        (Reply(410), Gone()),
        (Reply(None, failure="no answer within 15 s"), Failed("no answer within 15 s")),
        (Reply(None), Failed("no answer")),
        (Reply(400), Failed("status 400", 400)),
        (Reply(500), Failed("status 500", 500)),
        (Reply(101), Failed("status 101", 101)),
        (Reply(429, {"Retry-After": "120"}), Failed("status 429", 429, 120.0)),
        (Reply(503, {"retry-after": LATER}), Failed("status 503", 503, 60.0)),
        (Reply(503, {"retry-after": "soon"}), Failed("status 503", 503)),
        (Reply(500, {"retry-after": "120"}), Failed("status 500", 500)),
        (
            Reply(302, {"Location": "http://10.0.0.7/internal?token=x"}),
            Failed("it redirects to 10.0.0.7 with status 302; redirects are never followed", 302),
        ),
        (
            Reply(308, {"location": "/there"}),
            Failed("it redirects with status 308; redirects are never followed", 308),
        ),
        (
            Reply(307, {"location": "http://[::1"}),
            Failed("it redirects with status 307; redirects are never followed", 307),
        ),
    ],
)  # fmt: skip
def test_an_answer_means_one_thing(answer: Reply, outcome: DeliveryOutcome) -> None:
    """2xx arrived, 410 ends the endpoint, a redirect goes nowhere, all else is tried again."""
    assert understand(answer, NOW) == outcome


@pytest.mark.parametrize(
    ("attempt", "since_first", "spread", "asked", "wait"),
    [
        (1, 0.0, 0.0, None, 5.0),
        (1, 0.0, 0.5, None, 4.75),  # jitter takes up to a tenth off
        (2, 5.0, 0.0, None, 20.0),
        (3, 25.0, 0.0, None, 80.0),
        (6, 1_705.0, 0.0, None, 5_120.0),
        (7, 6_825.0, 0.0, None, 14_400.0),  # 20,480 is more than four hours
        (12, 78_825.0, 0.0, None, 7_575.0),  # the last one at the very end of the day
        (500, 80_000.0, 0.0, None, 6_400.0),
        (12, DAY - 0.2, 0.0, None, 1.0),
        (13, DAY, 0.0, None, None),
        (13, DAY + 7, 0.9, 30.0, None),
        (1, 0.0, 0.9, 300.0, 300.0),  # what it asked for
        (1, 0.0, 0.0, 2.0, 5.0),  # but no sooner than we would
        (2, DAY - 60, 0.0, 3_600.0, 60.0),  # nor beyond the day
    ],
)
def test_the_waits_grow_until_a_day_is_over(
    attempt: int, since_first: float, spread: float, asked: float | None, wait: float | None
) -> None:
    """5 s, 20 s, 80 s and so on to 4 hours; the last attempt ends the day, then it is given up."""
    assert retry_in(POLICY, attempt, since_first, spread, asked) == wait


def after(*results: Result, health: EndpointHealth | None = None) -> EndpointHealth:
    """Returns the health that these results lead to."""
    start = health or EndpointHealth()
    return reduce(lambda known, result: observe(POLICY, known, result), results, start)


FAILED = Result(Failed("status 500", 500), age_seconds=2.0)


def test_failures_in_a_row_lead_to_pauses_that_grow() -> None:
    """Four are counted, the fifth pauses it; a probe's failure doubles that, up to ten minutes."""
    assert after(FAILED) == EndpointHealth(1, failing_seconds=2.0)
    paused = after(*[FAILED] * 5)
    assert paused == EndpointHealth(5, 1, 2.0, 30.0)
    # What left before the pause began changes nothing
    assert after(FAILED, health=paused) == EndpointHealth(6, 1, 2.0, 30.0)
    # The probe behind the pause does
    assert after(FAILED, health=EndpointHealth(6, 1, 60.0)) == EndpointHealth(7, 2, 60.0, 60.0)
    assert after(FAILED, health=EndpointHealth(20, 9, 9_000.0)) == EndpointHealth(
        21, 10, 9_000.0, 600.0
    )


def test_one_success_ends_all_that() -> None:
    """Whoever answers is well, and was held up before."""
    sick = after(*[FAILED] * 5)
    assert (sick.is_held_up, after(FAILED).is_held_up) == (True, False)
    assert after(Result(Delivered(200)), health=sick) == EndpointHealth()


def test_what_it_asks_for_pauses_it_as_a_whole() -> None:
    """Retry-After holds all its messages, the longest one wins, and no breaker counts on top."""
    asked = Result(Failed("status 429", 429, 90.0))
    assert after(asked) == EndpointHealth(1, 0, 0.0, 90.0)
    assert after(asked).is_held_up
    longer = EndpointHealth(9, 3, 50.0, 400.0)
    assert after(asked, health=longer) == EndpointHealth(10, 3, 50.0, 400.0)


@pytest.mark.parametrize(
    ("failing_seconds", "gave_up_after", "disabled"),
    [
        (DAY, DAY, True),
        (DAY + 5, DAY + 4, True),
        (DAY - 0.5, DAY, True),  # begun a moment before the first failure
        (3_600.0, DAY, False),  # something came through an hour ago
        (None, DAY, False),
        (DAY, None, False),  # this message still has time
    ],
)
def test_it_is_disabled_when_nothing_came_through_for_a_day(
    failing_seconds: float | None, gave_up_after: float | None, disabled: bool
) -> None:
    """One message it cannot stomach is given up alone; a day without any success disables it."""
    last = Result(Failed("status 500", 500), 0.0, gave_up_after)
    health = after(last, health=EndpointHealth(9, 4, failing_seconds))
    why = "nothing came through for 24 hours; the last time: status 500"
    assert health.disabled == (why if disabled else None)


def test_gone_is_gone() -> None:
    """410 disables at once; the first reason stays, whatever comes in late."""
    gone = after(Result(Gone()))
    assert gone.disabled == GONE_REASON
    late = after(
        FAILED, Result(Delivered(200)), Result(Gone()), health=EndpointHealth(disabled="by hand")
    )
    assert late.disabled == "by hand"


def test_failures_of_a_disabled_endpoint_keep_its_reason() -> None:
    """A message that is given up afterwards does not rewrite why it was disabled."""
    last = Result(Failed("status 500", 500), 0.0, DAY)
    assert after(last, health=EndpointHealth(9, 4, DAY, 0.0, "by hand")).disabled == "by hand"
