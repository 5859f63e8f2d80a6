"""A hundred answers in hand that nobody can read, Postgres that takes none, and processes that die.

The provider rotates without grace and calls its fields by other names than the catalogue knows. So each
answer is the only place where its token pair exists, and stays so until the providers file is mended.
"""

from __future__ import annotations

import json
import time
from dataclasses import replace

from tests.chaos import refusals
from tests.chaos.deployment import PROVIDER, Deployment
from tests.chaos.recovery import Moment, moment
from tests.chaos.refusals import (
    HELD_SECONDS,
    IN_HAND,
    LEAST_REFUSED_SECONDS,
    REFUSED_SECONDS,
    await_all_stored,
    hold_all,
    kill_workers,
    story,
    unhealthy,
)
from tests.chaos.row import Bench, Row
from tests.waiting import wait_until

# Half of the latency comes after the rotation.
PLAN = replace(refusals.PLAN, latency_seconds=2 * HELD_SECONDS)
NAMES = """
[providers.chaos.answer_names]
access_token = "accessToken"
refresh_token = "refreshToken"
expires_in = "expiresIn"
"""


def unreadable_answers(bench: Bench) -> Row:
    """Has nobody read a hundred answers, again and again; returns what came of them.

    Whoever holds them is killed while they are in the spool alone, and everybody while they are parked.
    What is read again in the end must be good for a refresh.
    """
    recoveries: list[float] = []
    broken: list[str] = []
    reread = 0
    with Deployment(bench.ground, PLAN) as deployment:
        for n in range(bench.times):
            hold_all(deployment, "other_names")
            with refusals.read_only(deployment):
                seconds = bench.seconds(REFUSED_SECONDS, LEAST_REFUSED_SECONDS)
                broken += unhealthy(deployment, seconds)
                kill_workers(deployment)
                if n % 2:
                    deployment.scheduler.restart()
            recoveries.append(await_all_kept(deployment))
            for member in deployment.members:
                member.restart()
            deployment.wait_until_whole()
            reread += read_again(deployment)
            await_all_stored(deployment, refresh_all(deployment))
            bench.advance()
        note = f"{reread:,} of {IN_HAND * bench.times:,} answers read again, and refreshed with"
        return bench.conclude(deployment, recoveries, note=note, broken=broken)


def await_all_kept(deployment: Deployment) -> float:
    """Returns how long it took until each answer was kept in Postgres and its connection held."""
    began = time.monotonic()
    wait_until(lambda: all_kept(deployment), 90, lambda: story(deployment))
    return time.monotonic() - began


def all_kept(deployment: Deployment) -> bool:
    """Whether that is so now."""
    held = deployment.number(
        "select count(*) from refresh_schedule s join kept_answer k using (connection_id) "
        "where s.parked_reason = 'unread_answer' and k.body is not null"
    )
    return held == IN_HAND and not deployment.services.spool.entries()


def read_again(deployment: Deployment) -> int:
    """Mends the providers file and reads all answers again, as a person does; returns how many.

    Afterwards the file is as it was, for the next answers that nobody can read.
    """
    file = deployment.services.settings.providers_file
    assert file is not None
    before = file.read_text()
    file.write_text(before + NAMES)
    try:
        ran = deployment.command("answers", "reread", "--provider", PROVIDER, "--json")
    finally:
        file.write_text(before)
    return sum(json.loads(line)["outcome"] == "stored" for line in ran.splitlines())


def refresh_all(deployment: Deployment) -> Moment:
    """Makes all rows due; returns since when."""
    since = moment(deployment)
    deployment.rows(refusals.DUE)
    return since
