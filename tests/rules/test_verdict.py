"""The sentence of the whole, as a table."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from refresher.rules.need_facts import NeedFacts
from refresher.rules.needs import Need, needs
from refresher.rules.verdict import Next, WorkFacts, verdict

NOW = datetime(2026, 11, 29, 14, 32, 7, tzinfo=UTC)
WELL = WorkFacts(NOW, 312_700)
BROKEN = needs(NeedFacts(broken=["a"], parked={"reconnect_required": 2}))
ALONE = needs(NeedFacts(missing_roles=["scheduler"]))
LATE = replace(WELL, late=120, late_seconds=300)


@pytest.mark.parametrize(
    ("work", "found", "tone", "sentence"),
    [
        (WELL, (), "good", "Every token is fresh, and nothing needs a person."),
        (WELL, BROKEN, "warn", "Every token is fresh. 2 things need a person."),
        (WELL, BROKEN[:1], "warn", "Every token is fresh. 1 thing needs a person."),
        (LATE, (), "warn", "No token has ended, but 120 refreshes are late."),
        (replace(LATE, late=1), BROKEN[:1], "warn",
         "No token has ended, but 1 refresh is late. 1 thing needs a person."),
        (replace(LATE, ended=12), (), "bad", "12 tokens have ended and are not refreshed yet."),
        (replace(WELL, ended=1), BROKEN, "bad",
         "1 token has ended and is not refreshed yet. 2 things need a person."),
        (replace(WELL, ended=12), ALONE, "bad",
         "Nothing is refreshed: no scheduler is running. 1 thing needs a person."),
        (WorkFacts(NOW, 0), (), "still", "No connection is stored yet."),
        (WorkFacts(NOW, 0), BROKEN[:1], "warn", "Every token is fresh. 1 thing needs a person."),
    ],
)  # fmt: skip
def test_the_whole_in_a_sentence(
    work: WorkFacts, found: tuple[Need, ...], tone: str, sentence: str
) -> None:
    """What is dead comes before what is late, and both before what needs a person."""
    told = verdict(work, found)
    assert (told.tone, told.sentence) == (tone, sentence)


@pytest.mark.parametrize(
    ("work", "more"),
    [
        (WELL, "Nothing is late."),
        (LATE, "120 refreshes are late, the first by 5 min."),
        (replace(WELL, next=Next("Zoho", NOW + timedelta(seconds=718), True)),
         ("Nothing is late. The first access token would end in 12 min; its refresh is due before "
         "that.")),
        (replace(WELL, next=Next("Zoho", NOW + timedelta(seconds=243), False)),
         "Nothing is late. The first that could end is one at Zoho, in 4 min."),
        (WorkFacts(NOW, 0), ("Nothing runs that would refresh it: start python -m refresher.scheduler. "
         "As soon as it is there, this page tells whether its token is fresh.")),
        (WorkFacts(NOW, 0, running=["scheduler", "web"]), ("A scheduler is running and waits for the "
         "first one. As soon as it is there, this page tells whether its token is fresh.")),
        (WorkFacts(NOW, 0, running=["worker", "scheduler"]), ("A scheduler and a worker are running "
         "and wait for the first one. As soon as it is there, this page tells whether its token is "
         "fresh.")),
    ],
)  # fmt: skip
def test_what_more_there_is_to_say(work: WorkFacts, more: str) -> None:
    """What is late, and which token ends first; of nothing, who waits for the first one."""
    assert verdict(work, ()).more == more
