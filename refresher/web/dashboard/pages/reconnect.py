"""Connect an account again: one click makes the link, which is shown once, with whose account it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, assert_never

from refresher.connections import connect, reconnects
from refresher.connections.reconnects import Reconnecting, ReconnectLink
from refresher.errors import ConnectRefused, NoSuchConnection, QuotaReached, RefresherError
from refresher.insight.subject import Subject
from refresher.rules.access import Scope
from refresher.rules.connect import State
from refresher.rules.connect_view import SessionView, view
from refresher.rules.deed_words import besides
from refresher.rules.deeds import Deed, why_not
from refresher.rules.ways_back import ByPage, ByProgram, BySession
from refresher.store.connect import SessionFilter
from refresher.web.dashboard.pages import deeds
from refresher.web.dashboard.pages.deeds import CONFLICT, Question
from refresher.web.dashboard.pages.subject import subject
from refresher.web.dashboard.routing import Answer, Mistaken, Page, Route
from refresher.web.dashboard.visit import Visit

PATTERN = "/ui/connections/{id}/link"
MOST_SESSIONS = 5


@dataclass(frozen=True, slots=True)
class Linking:
    """Whose account is connected again, by which link, and what became of the links before."""

    of: Subject
    found: Reconnecting
    sessions: tuple[SessionView, ...]
    made: ReconnectLink | None = None

    @property
    def whose(self) -> str:
        """Whose account it is: as the provider calls it, else as we do."""
        target = self.found.target
        return target.account_label or target.name or target.external_id

    @property
    def besides(self) -> tuple[str, ...]:
        """What else is connected again."""
        return besides(Deed.LINK, self.of.reach)

    @property
    def kind(self) -> str:
        """Which of the three ways it is."""
        way = self.found.way
        match way:
            case BySession():
                return "session"
            case ByPage():
                return "page"
            case ByProgram():
                return "program"
            case _:
                assert_never(way)

    @property
    def why_no_session(self) -> str | None:
        """Why nobody can sign in here."""
        way = self.found.way
        return None if isinstance(way, BySession) else way.why_not

    @property
    def can_tell_accounts(self) -> bool:
        """Whether another account is refused: only where it is known whose this one is."""
        return self.found.target.account is not None

    @property
    def waits(self) -> bool:
        """Whether a link is open that somebody may still use."""
        return any(one.state is not State.ENDED for one in self.sessions)


def show(visit: Visit) -> Page:
    """Shows whose account it is, and which link the button makes."""
    of = subject(visit)
    if (why := why_not(Deed.LINK, of.standing)) is not None:
        return deeds.page(Question(of, Deed.LINK, why))
    return _page(_linking(visit, of))


def make(visit: Visit) -> Answer:
    """Makes the link, and shows it once."""
    of = subject(visit)
    if (why := why_not(Deed.LINK, of.standing)) is not None:
        return deeds.page(Question(of, Deed.LINK, why), CONFLICT)
    try:
        made = reconnects.make(visit.services, of.id, visit.actor)
    except NoSuchConnection:
        return deeds.page(Question(subject(visit), Deed.LINK, deeds.GONE), CONFLICT)
    except (ConnectRefused, QuotaReached) as refused:
        raise _refused(visit, of, refused) from None
    return _page(_linking(visit, of, made))


def _refused(visit: Visit, of: Subject, refused: RefresherError) -> Mistaken:
    sentence = f"No link was made: {refused}."
    return Mistaken(sentence, _page(_linking(visit, of)), CONFLICT)


def _linking(visit: Visit, of: Subject, made: ReconnectLink | None = None) -> Linking:
    found = reconnects.look(visit.services, of.id, visit.actor)
    chosen = SessionFilter(connection_id=found.target.id)
    known = connect.listed(visit.services, chosen, visit.actor, limit=MOST_SESSIONS)
    return Linking(of, found, tuple(view(one) for one in known), made)


def _page(linking: Linking) -> Page:
    return Page("reconnect.html", linking, f"Connect {linking.of.name} again", has_live_parts=True)


_NEEDS: dict[str, Any] = {"scope": Scope.WRITE, "or_scope": Scope.CONNECT, "section": "connections"}
ROUTES = (Route("GET", PATTERN, show, **_NEEDS), Route("POST", PATTERN, make, **_NEEDS))
