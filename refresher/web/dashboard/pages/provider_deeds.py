"""What is done about a provider: one connection tries behind its pauses, answers are read again."""

from __future__ import annotations

from collections import Counter
from typing import assert_never
from uuid import UUID

from refresher.errors import RefresherError
from refresher.refresh import rereading
from refresher.refresh.rereading import How, NoSuchAnswer, Reread
from refresher.rules.access import Scope
from refresher.rules.words import many
from refresher.store import answers, audit, pause_list
from refresher.web.dashboard.pages.providers import link
from refresher.web.dashboard.routing import Goto, NotHere, Route, Tone
from refresher.web.dashboard.visit import Visit

MOST_AT_ONCE = 200
"""So many answers are read by one press of the button; another one reads on."""


def try_one(visit: Visit) -> Goto:
    """Has one connection behind each pause of a provider refreshed at once."""
    name = visit.parts["name"]
    with visit.database.transaction() as db:
        held = pause_list.probe_now(db, name)
        if held:
            audit.note(db, visit.actor, "probed", subject=f"provider:{name}")
    visit.shared.providers.forget()
    if not held:
        return Goto(link(name), "Nothing of it is left alone any more.")
    return Goto(link(name), "One connection tries now. If it is refreshed, all that wait go on.")


def read_one(visit: Visit) -> Goto:
    """Reads one kept answer again."""
    answer_id = visit.uuid("id")
    try:
        view = rereading.find(visit.services, answer_id, visit.actor)
    except NoSuchAnswer:
        raise NotHere from None
    try:
        done = rereading.reread(visit.services, answer_id, visit.actor)
    except RefresherError as error:
        return Goto(link(view.provider), f"It was not read: {error}.", "bad")
    visit.shared.providers.forget()
    return Goto(link(view.provider), _told(done), _tone(done.outcome))


def read_all(visit: Visit) -> Goto:
    """Reads a provider's kept answers again, the oldest first, so many at once."""
    name = visit.parts["name"]
    organization_id = visit.key.organization_id
    with visit.reading() as db:
        found = answers.page(
            db, organization_id, provider=name, unread_only=True, limit=MOST_AT_ONCE + 1
        )
    if not found:
        return Goto(link(name), "No answer of it waits to be read.")
    counts: Counter[How] = Counter()
    for view in reversed(found[:MOST_AT_ONCE]):
        try:
            counts[_read(visit, view.id)] += 1
        except RefresherError as error:
            return Goto(link(name), f"{_counted(counts)} Then: {error}.", "bad")
    visit.shared.providers.forget()
    more = " There are more: read again." if len(found) > MOST_AT_ONCE else ""
    tone: Tone = "warn" if counts[How.STILL_UNREAD] else "good"
    return Goto(link(name), _counted(counts) + more, tone)


def _read(visit: Visit, answer_id: UUID) -> How:
    return rereading.reread(visit.services, answer_id, visit.actor).outcome


def _counted(counts: Counter[How]) -> str:
    read = sum(counts.values()) - counts[How.STILL_UNREAD]
    still = counts[How.STILL_UNREAD]
    told = f"{many(read, 'answer')} could be read."
    return f"{told} {many(still, 'answer')} still cannot." if still else told


def _told(one: Reread) -> str:
    match one.outcome:
        case How.STORED:
            return "It could be read: its tokens are stored, and the connection goes on."
        case How.QUARANTINED:
            return "It could be read, and its tokens are older than those that are stored."
        case How.STILL_UNREAD:
            return f"It still cannot be read: {one.reason}."
        case How.READ_BEFORE:
            return "It was read before."
        case _:
            assert_never(one.outcome)


def _tone(how: How) -> Tone:
    return "warn" if how is How.STILL_UNREAD else "good"


ROUTES = (
    Route(
        "POST",
        "/ui/providers/{name}/try",
        try_one,
        Scope.WRITE,
        everybody=True,
        section="providers",
    ),
    Route("POST", "/ui/providers/{name}/reread", read_all, Scope.WRITE, section="providers"),
    Route("POST", "/ui/answers/{id}/reread", read_one, Scope.WRITE, section="providers"),
)
