"""Decides what a start, a callback and an application's word come to (C3 to C14 of docs/consents.md).

Pure: sessions and attempts in, unions out. Who may go on is looked at again at each of them, for a link
must not outlive the right that made it (`Right`, C11).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from refresher.rules.callbacks import Callback, refusal, wrong_issuer
from refresher.rules.connect import (
    MOST_ATTEMPTS,
    Attempt,
    Finish,
    Outcome,
    Problem,
    Session,
    State,
    Trouble,
    cookie_name,
    is_challenge,
    is_of,
)
from refresher.rules.connection import Secret


@dataclass(frozen=True, slots=True)
class Right:
    """Whether what a session was made with still holds (C11)."""

    key_alive: bool = True
    connection_gone: bool = False
    connection_disabled: bool = False
    return_url_fault: str | None = None
    provider_fault: str | None = None

    @property
    def trouble(self) -> Trouble | None:
        """Why the session may not go on; None: it may."""
        checks = (
            (not self.key_alive, "the API key that made this session is revoked or has expired"),
            (self.connection_gone, "the connection that it was to reconnect is deleted"),
            (self.connection_disabled, "the connection that it was to reconnect is disabled"),
            (bool(self.return_url_fault), f"return_url {self.return_url_fault}"),
        )
        why = next((sentence for so, sentence in checks if so), None)
        if why is not None:
            return Trouble(Problem.RIGHT_ENDED, why)
        return Trouble(Problem.APP_WRONG, self.provider_fault) if self.provider_fault else None


@dataclass(frozen=True, slots=True)
class SendCode:
    """Send this code, once: its attempt is spent, and the session exchanging."""

    session: Session
    attempt: Attempt
    code: Secret
    pairs: Sequence[tuple[str, str]] = field(repr=False)

    @property
    def session_id(self) -> UUID:
        """The session's id, for the way to its result."""
        return self.session.id


@dataclass(frozen=True, slots=True)
class ShowResult:
    """Lead to the result of this session; the browser has shown that it was there."""

    session_id: UUID


@dataclass(frozen=True, slots=True)
class ShowPage:
    """Show a page that names nobody: nothing is known of who asks."""

    problem: Problem


Arrival = SendCode | ShowResult | ShowPage


@dataclass(frozen=True, slots=True)
class Spend:
    """Spend the attempt; with trouble the session is told of it, else it goes its way."""

    trouble: Trouble | None = None
    ends: bool = False


@dataclass(frozen=True, slots=True)
class Exchange:
    """Spend the attempt, have the session exchange, and send the code."""

    code: Secret


Step = Spend | Exchange | ShowResult | ShowPage


def startable(session: Session, right: Right, now: datetime) -> Trouble | None:
    """Returns why no attempt may begin; None: one may."""
    if session.state is State.ENDED or session.expires_at <= now:
        return Trouble(Problem.EXPIRED, "the session has ended")
    if right.trouble is not None:
        return right.trouble
    if session.state is not State.OPEN:
        return Trouble(Problem.EXPIRED, "somebody is on the way with it already")
    if session.attempts >= MOST_ATTEMPTS:
        return Trouble(Problem.TOO_MANY_ATTEMPTS, f"it was begun {MOST_ATTEMPTS} times")
    return None


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a callback's state: its attempt, the attempt's session, and their right."""

    attempt: Attempt
    session: Session
    right: Right
    announces_iss: bool
    now: datetime


def arrived(
    callback: Callback, slug: str, known: Known | None, cookies: Mapping[str, str], *, secure: bool
) -> Step:
    """Returns what a callback comes to, in the order of C14.

    Without the state, the path and the cookie of one attempt nothing is told, and nothing changes.
    """
    if known is None:
        return ShowPage(Problem.BAD_CALLBACK)
    if known.attempt.slug != slug:
        return ShowPage(Problem.WRONG_ISSUER)
    name = cookie_name(known.attempt.state_hash, secure=secure)
    if not is_of(cookies.get(name, ""), known.attempt.cookie_hash):
        return ShowPage(Problem.OTHER_BROWSER)
    if known.attempt.spent_at is not None:
        return ShowResult(known.session.id)
    return _of_its_browser(callback, known)


def _of_its_browser(callback: Callback, known: Known) -> Step:
    if known.attempt.expires_at <= known.now:
        return Spend(Trouble(Problem.EXPIRED, "the person was away for too long"))
    if known.session.state is not State.OPEN:
        return Spend()
    trouble = known.right.trouble
    if trouble is not None:
        return Spend(trouble, ends=trouble.code is Problem.RIGHT_ENDED)
    return _answered(callback, known.attempt, announces_iss=known.announces_iss)


def _answered(callback: Callback, attempt: Attempt, *, announces_iss: bool) -> Step:
    """Returns what the provider's own words come to; of another issuer's none is shown (C12)."""
    if callback.fault is not None:
        return Spend(Trouble(Problem.BAD_CALLBACK, callback.fault))
    if wrong := wrong_issuer(callback.iss, attempt.issuer, announces_iss=announces_iss):
        return Spend(Trouble(Problem.WRONG_ISSUER, wrong))
    if callback.error is not None:
        return Spend(refusal(callback.error, callback.description))
    if callback.code is None:
        return Spend(Trouble(Problem.BAD_CALLBACK, "it brought neither a code nor an error"))
    return Exchange(callback.code)


def overtaken(
    session: Session, right: Right, now: datetime
) -> tuple[Trouble, Outcome | None] | None:
    """Returns why a session does not go on by itself, and its end if it has one; None: it goes on.

    For the sweep: a code without an answer, an answer that nobody confirmed or could read in time, a
    link whose time or whose right is over.
    """
    match session.state:
        case State.EXCHANGING if _over(session.exchange_until, now):
            return _NEVER_KEPT, None
        case State.HELD if _over(session.held_until, now):
            waited = session.ready_at is not None and session.finish is Finish.APPLICATION
            return (_UNCONFIRMED if waited else _UNTOLD), None
        case State.OPEN:
            return _ended(session, right, now)
        case _:
            return None


_NEVER_KEPT = Trouble(
    Problem.OUTCOME_UNKNOWN, "the code was sent, and its answer did not come to be kept"
)
_UNCONFIRMED = Trouble(Problem.NOT_CONFIRMED, "the application did not confirm it in time")
_UNTOLD = Trouble(
    Problem.PROVIDER_TROUBLE,
    "the provider did not tell in time whose account it is, or gave no token",
)


def _ended(session: Session, right: Right, now: datetime) -> tuple[Trouble, Outcome] | None:
    if right.trouble is not None and right.trouble.code is Problem.RIGHT_ENDED:
        return right.trouble, Outcome.CANCELLED
    if session.expires_at <= now:
        last = session.trouble or Trouble(Problem.EXPIRED, "nobody finished it in time")
        return last, Outcome.EXPIRED
    return None


def _over(until: datetime | None, now: datetime) -> bool:
    return until is not None and until <= now


def unconfirmed(session: Session, code: str, verifier: str, now: datetime) -> str | None:
    """Returns why the application's word does not count, for a sentence; None: it does (C9).

    The code came back with the person's browser, and the verifier lives in the session of the user for
    whom the link was made: whoever has both has connected an account of their own.
    """
    if session.finish is not Finish.APPLICATION or session.finish_challenge is None:
        return 'it was not made with finish = "application"'
    if session.state is not State.HELD or session.ready_at is None:
        return f"it does not wait for a confirmation: it is {session.state}"
    if session.confirmed_at is not None:
        return "it is confirmed already"
    if _over(session.finish_code_until, now) or not is_of(code, session.finish_code_hash):
        return "the code is not the one that its return URL was given last, or has expired"
    if not is_challenge(verifier, session.finish_challenge):
        return "the verifier is not the one whose S256 it was made with"
    return None
