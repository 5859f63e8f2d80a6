"""The plan of a bulk job: signed for one key and a quarter of an hour; its number and its words."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from refresher.rules import bulk_words as words
from refresher.rules.bulk import MAKE_DUE, Deed, LeftOut
from refresher.rules.bulk_plan import (
    MOST,
    Order,
    OrderFault,
    Plan,
    PlanFault,
    Selection,
    fault_of,
    order,
    read,
    sign,
)
from refresher.rules.bulk_words import JobState, Progress

NOW = datetime(2026, 3, 1, 14, 32, 7, 123456, tzinfo=UTC)
WHOSE, KEYS = "abcdefghijkl", {b"keyA": b"a" * 32, b"keyB": b"b" * 32}
CHOSEN = Selection(health="reconnect_required", provider="hubspot")
PLAN = Plan(UUID(int=7), Deed.RESUME, CHOSEN, NOW, 38)


def signed(plan: Plan = PLAN) -> str:
    """The plan as a form brings it back."""
    return sign(plan, WHOSE, b"keyA", KEYS[b"keyA"])


@pytest.mark.parametrize(
    "plan",
    [
        PLAN,
        replace(PLAN, number=None, selection=Selection()),
        replace(PLAN, selection=Selection(ids=(UUID(int=1), UUID(int=2)), organization_id="org")),
    ],
)
def test_a_plan_comes_back_as_it_was_signed(plan: Plan) -> None:
    """To the microsecond, for fifteen minutes, by any of the keys."""
    assert read(signed(plan), KEYS, WHOSE, NOW + timedelta(minutes=15)) == plan
    assert read(sign(plan, WHOSE, b"keyB", KEYS[b"keyB"]), KEYS, WHOSE, NOW) == plan


@pytest.mark.parametrize(
    ("text", "whose", "later", "fault"),
    [
        (signed(), WHOSE, 901, PlanFault.STALE),
        (signed(), "mnopqrstuvwx", 0, PlanFault.ANOTHERS),
        (signed()[:-1], WHOSE, 0, PlanFault.INVALID),
        (signed()[:-2] + "AA", WHOSE, 0, PlanFault.INVALID),
        (sign(PLAN, WHOSE, b"keyC", b"c" * 32), WHOSE, 0, PlanFault.INVALID),
        (sign(PLAN, WHOSE, b"keyA", b"c" * 32), WHOSE, 0, PlanFault.INVALID),
        ("", WHOSE, 0, PlanFault.INVALID),
        ("no plan at all", WHOSE, 0, PlanFault.INVALID),
        ("\N{SNOWMAN}", WHOSE, 0, PlanFault.INVALID),
    ],
)
def test_any_other_plan_is_none(text: str, whose: str, later: int, fault: PlanFault) -> None:
    """Too old, another key's, changed, or never made here."""
    assert read(text, KEYS, whose, NOW + timedelta(seconds=later)) is fault


@pytest.mark.parametrize(
    ("deed", "number", "typed", "for_all", "expected"),
    [
        (Deed.RESUME, 38, None, False, None),
        (Deed.RESUME, 38, 38, False, None),
        (Deed.RESUME, 38, 37, True, OrderFault.WRONG_NUMBER),
        (Deed.RESUME, 0, 0, True, OrderFault.NOBODY),
        (Deed.DELETE, 38, None, True, OrderFault.NOT_TYPED),
        (Deed.DELETE, 38, 38, True, None),
        (Deed.PAUSE, None, 20_000, False, OrderFault.TOO_MANY),
        (Deed.PAUSE, None, None, True, OrderFault.NOT_TYPED),
        (Deed.PAUSE, None, MOST, True, OrderFault.WRONG_NUMBER),
        (Deed.PAUSE, None, 20_000, True, None),
    ],
)
def test_a_yes_counts_with_its_number(
    deed: Deed, number: int | None, typed: int | None, for_all: bool, expected: OrderFault | None
) -> None:
    """What cannot be undone, and what nobody counted, wants a number; the latter a key for all."""
    plan = replace(PLAN, deed=deed, number=number)
    assert fault_of(plan, typed, for_all=for_all) is expected
    if expected is not None:
        assert words.refusal(expected, plan)
    else:
        assert order(plan, typed) == Order(deed, CHOSEN, NOW, number or 20_000, PLAN.id)


@pytest.mark.parametrize(
    ("number", "words_"),
    [(0, "No bulk job is"), (1, "One bulk job is"), (1_000, "1,000 bulk jobs are")],
)
def test_jobs_are_counted_in_words(number: int, words_: str) -> None:
    """None, one, several."""
    assert words.under_way(number).startswith(words_)


def test_a_refusal_names_the_command_that_does_it() -> None:
    """With the same filters, quoted for a shell."""
    selection = Selection(provider="hub spot", app="main", organization_id="org", health="late")
    told = words.refusal(
        OrderFault.TOO_MANY, replace(PLAN, deed=Deed.PAUSE, number=None, selection=selection)
    )
    assert "more than 10,000 connections match" in told
    command = "refresher connections bulk pause --health late --provider 'hub spot' --app main"
    assert f"`{command} --organization org`" in told


def test_the_preview_is_told_in_words() -> None:
    """Question, answer, consequence, filters, who is left out."""
    assert words.question(Deed.RESUME, 38) == "Resume 38 connections?"
    assert words.title(Deed.DELETE, 1) == "Delete 1 connection"
    assert words.title(Deed.PAUSE, None) == "Pause more than 10,000 connections"
    assert words.headline(Deed.RESUME, 38).startswith("Each is tried once more")
    assert words.headline(Deed.RESUME, 0).startswith("Nothing is resumed")
    for deed in Deed:
        told = words.consequence(deed, 120.0)
        assert ("spread over about 2 min" in told) == (deed in MAKE_DUE)
        assert "spread" not in words.consequence(deed, 0.5)
    labels = {"reconnect_required": "Reconnect required"}
    assert words.filters(CHOSEN, labels) == [
        "Health: reconnect required", "Organization: any", "Provider: hubspot",
    ]  # fmt: skip
    assert words.filters(replace(CHOSEN, app="main", health=None), labels)[-1] == "App: main"
    assert words.filters(Selection(ids=(UUID(int=1),)), labels) == ["1 connection chosen"]
    numbers = {LeftOut.SHARES_GRANT: 2, LeftOut.CONNECTING: 5, LeftOut.GONE: 2}
    assert words.left_out_in_words(Deed.RESUME, numbers) == [
        "5, they are being connected",
        "2, they are gone",
        "2, they share the grant of another",
    ]


@pytest.mark.parametrize(
    ("job", "expected"),
    [
        (Progress(Deed.PAUSE, JobState.GATHERING, 0, 0, 0, 0), "Looking which connections are"),
        (Progress(Deed.PAUSE, JobState.WORKING, 9, 4, 1, 0), "5 of 9 connections dealt with; 4"),
        (Progress(Deed.PAUSE, JobState.DONE, 9, 7, 1, 1), "Done: 7 paused, 1 left out, 1 failed."),
        (Progress(Deed.PAUSE, JobState.DONE, 9, 9, 0, 0), "Done: 9 paused."),
        (Progress(Deed.PAUSE, JobState.STOPPED, 9, 2, 0, 0), "Stopped. 2 paused, 7 left as they"),
        (
            Progress(Deed.PAUSE, JobState.STOPPED, 2, 2, 0, 0, "by ann"),
            "Stopped: by ann. 2 paused.",
        ),
    ],
)
def test_a_job_is_told_in_words(job: Progress, expected: str) -> None:
    """How far it is, what it did, what it left."""
    assert words.sentence(job).startswith(expected)
    tones = {JobState.DONE: "warn" if job.failed else "good", JobState.STOPPED: "warn"}
    assert words.tone(job) == tones.get(job.state, "plain")
