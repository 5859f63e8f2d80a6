"""Deeds on one connection: what each asks before it is done, and what is said afterwards.

A deed goes through the same door as the API's, with the entity tag of the page that it was asked on:
where the row has changed meanwhile nothing is done, and its page asks again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Protocol
from uuid import UUID

from refresher.connections import lifecycle
from refresher.connections.lifecycle import Changed, HoldsGrant
from refresher.connections.revocation import revoke
from refresher.errors import NoSuchConnection
from refresher.insight.subject import Subject
from refresher.rules.access import Actor, Scope
from refresher.rules.deed_words import (
    CHANGED,
    CONSEQUENCES,
    DONE,
    QUESTIONS,
    REVOCATIONS,
    TRIED,
    besides,
    button,
)
from refresher.rules.deeds import TRY_ONCE, Deed, why_not
from refresher.store.connections import Versioned
from refresher.store.session import Database
from refresher.web.dashboard.pages.subject import Tags, subject, tags
from refresher.web.dashboard.routing import Answer, Goto, Mistaken, Page, Route
from refresher.web.dashboard.visit import Visit

GONE = "it is deleted"
CONFLICT = 409


class Steering(Protocol):
    """A deed of `connections/lifecycle.py`."""

    def __call__(
        self, database: Database, by: Actor, connection_id: UUID, if_match: Tags = None
    ) -> Versioned:
        """Does it."""


STEERING: Mapping[Deed, Steering] = {
    Deed.PAUSE: lifecycle.pause,
    Deed.RESUME: lifecycle.resume,
    Deed.DISABLE: lifecycle.disable,
    Deed.ENABLE: lifecycle.enable,
}


@dataclass(frozen=True, slots=True)
class Question:
    """A deed that is asked for. `typed` is what was typed of the external id."""

    of: Subject
    deed: Deed
    why_not: str | None
    typed: str = ""
    ends_grant: bool = False
    is_stale: bool = False

    @property
    def title(self) -> str:
        """The question itself."""
        return QUESTIONS[self.deed].format(name=self.of.name)

    @property
    def button(self) -> str:
        """What the button says: the deed, never "OK"."""
        return button(self.deed, self.of.standing)

    @property
    def consequence(self) -> str:
        """What follows, in a sentence."""
        return CONSEQUENCES[self.deed][0]

    @property
    def words(self) -> str:
        """What else follows, and what else it does."""
        return " ".join([*CONSEQUENCES[self.deed][1:], *self.besides])

    @property
    def besides(self) -> tuple[str, ...]:
        """What it does besides."""
        return besides(self.deed, self.of.reach)

    @property
    def is_deletion(self) -> bool:
        """Whether the external id has to be typed."""
        return self.deed is Deed.DELETE

    @property
    def can_end_grant(self) -> bool:
        """Whether the provider has a way to end a grant, and it is this one's to end."""
        provider = self.of.provider
        return provider is not None and provider.revocation_url is not None


def ask(deed: Deed, visit: Visit) -> Page:
    """Shows what the deed would do, and its button."""
    of = subject(visit)
    return page(Question(of, deed, why_not(deed, of.standing)))


def act(deed: Deed, visit: Visit) -> Answer:
    """Does it, where it fits how the connection stands now."""
    of = subject(visit)
    asked = Question(
        of,
        deed,
        why_not(deed, of.standing),
        typed=visit.form.get("typed", ""),
        ends_grant="revoke" in visit.form,
    )
    if asked.why_not is not None:
        return page(asked, CONFLICT)
    try:
        return _delete(visit, asked) if deed is Deed.DELETE else _steer(visit, asked)
    except Changed:
        return _again(deed, visit)
    except NoSuchConnection:  # between our look and the deed
        return page(Question(subject(visit), deed, GONE), CONFLICT)


def _steer(visit: Visit, asked: Question) -> Goto:
    of = asked.of
    after = STEERING[asked.deed](visit.database, visit.actor, of.id, tags(visit))
    if after.seen.note:
        return Goto(of.address, f"{of.name} has {after.seen.note}.", "still")
    tries = asked.button == TRY_ONCE
    return Goto(of.address, _said(asked, TRIED if tries else DONE[asked.deed]))


def _delete(visit: Visit, asked: Question) -> Answer:
    of = asked.of
    if asked.typed.strip() != of.seen.external_id.strip():
        sentence = "Nothing was deleted: what was typed is not the external id, which stands below."
        raise Mistaken(sentence, page(asked))
    try:
        gone = lifecycle.delete(visit.database, visit.actor, of.id, tags(visit))
    except HoldsGrant as held:
        return page(Question(of, asked.deed, str(held)), CONFLICT)
    told = _said(asked, DONE[asked.deed])
    if asked.ends_grant:
        result = revoke(visit.services, gone.id, visit.key.organization_id)
        because = f" ({result.reason})" if result.reason else ""
        told += f" {REVOCATIONS[result.outcome.value]}{because}."
    return Goto(of.address, told)


def _said(asked: Question, how: str) -> str:
    return " ".join([f"{asked.of.name} {how}.", *asked.besides])


def _again(deed: Deed, visit: Visit) -> Page:
    """Shows the row as it is now, and asks again."""
    of = subject(visit)
    return page(Question(of, deed, why_not(deed, of.standing), is_stale=True), CONFLICT)


def page(asked: Question, status: int = 200) -> Page:
    """Returns the page of a question."""
    more = {"mistake": CHANGED} if asked.is_stale else {}
    return Page("deed.html", asked, asked.title, status, more=more, has_live_parts=False)


def _routes(deed: Deed) -> tuple[Route, Route]:
    pattern = f"/ui/connections/{{id}}/{deed}"
    handles: tuple[Callable[[Visit], Answer], ...] = (partial(ask, deed), partial(act, deed))
    return (
        Route("GET", pattern, handles[0], Scope.WRITE, section="connections"),
        Route(
            "POST",
            pattern,
            handles[1],
            Scope.WRITE,
            section="connections",
            outside=deed is Deed.DELETE,
        ),
    )


ROUTES = tuple(route for deed in (*STEERING, Deed.DELETE) for route in _routes(deed))
