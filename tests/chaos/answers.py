"""Ten thousand generated token answers, through the whole story into the store.

The strategies are those of `tests/rules/test_any_reply.py`; here the answers are refreshed with, many
at a time, and what is stored afterwards is compared with what came.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from uuid import UUID

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from refresher.rules.outcomes import Reply
from tests.chaos.row import Bench, Row
from tests.rules.samples import SAME_EACH_TIME
from tests.rules.test_any_reply import BODIES, HEADERS, STATUSES, SURROUNDINGS, TOKENS
from tests.world import World

AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Answer:
    """A generated reply; `refresh_token` is the one that must be stored after it, if any."""

    reply: Reply
    refresh_token: str | None


def _with_pair(around: dict[str, object], access: str, refresh: str) -> Answer:
    around = {name: value for name, value in around.items() if (name, value) != ("ok", False)}
    body = json.dumps({**around, "access_token": access, "refresh_token": refresh})
    return Answer(Reply(200, {}, body.encode()), refresh)


def _garbage(status: int | None, headers: dict[str, str], body: bytes) -> Answer:
    failure = None if status else "timeout"
    return Answer(Reply(status, headers, body, failure=failure), None)


ANSWERS = st.one_of(
    st.builds(_with_pair, SURROUNDINGS, TOKENS, TOKENS),
    st.builds(_garbage, STATUSES, HEADERS, BODIES),
)


def generated_answers(bench: Bench) -> Row:
    """Refreshes with every generated answer; none may raise, stay undecided, or lose a token."""
    world = World(bench.ground.database(), breaker_failures=1_000_000)
    rounds = max(1, bench.times // AT_ONCE)
    broken: list[str] = []
    refreshes: list[int] = []

    @settings(SAME_EACH_TIME, max_examples=rounds, suppress_health_check=list(HealthCheck))
    @given(st.lists(ANSWERS, min_size=AT_ONCE, max_size=AT_ONCE))
    def every_answer_is_digested(answers: list[Answer]) -> None:
        broken.extend(digest(world, answers))
        refreshes.append(world.one(_REFRESHED).n)
        for _ in answers:
            bench.advance()

    try:
        every_answer_is_digested()
    finally:
        world.close()
    return Row(bench.title, bench.times, sum(refreshes), lost=len(broken), broken=tuple(broken[:5]))


_REFRESHED = "select count(*) as n from refresh_event where kind = 'refreshed'"


def digest(world: World, answers: list[Answer]) -> list[str]:
    """Connects an account for each answer, refreshes them at once, and tells what went wrong."""
    world.run("truncate refresh_event, refresh_schedule, pause, quarantine, connection cascade")
    ids = [world.connect(f"c{n}", expires_in=0) for n in range(len(answers))]
    by_token = {f"refresh-of-c{n}": answer for n, answer in enumerate(answers)}
    world.script.answer = lambda r: by_token[r.parameters["refresh_token"]].reply
    tally = world.tick()
    undecided = world.one("select count(*) as n from refresh_schedule where state = 1").n
    found = [f"{undecided} undecided: {dict(tally)}"] if undecided else []
    return found + [
        f"a refresh token that came is not stored: {answer.reply.body[:200]!r}"
        for id_, answer in zip(ids, answers, strict=True)
        if answer.refresh_token is not None and not _is_stored(world, id_, answer.refresh_token)
    ]


def _is_stored(world: World, id_: UUID, refresh_token: str) -> bool:
    return world.token(id_, "refresh_token") == refresh_token
