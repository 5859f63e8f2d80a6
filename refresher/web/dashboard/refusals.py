"""Every error as a page in words: what it is, what to do, and nothing of how it came to be."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from refresher.rules import words
from refresher.store.looking import TooSlow
from refresher.web import problems
from refresher.web.dashboard.forms import CSRF, ONCE, Done, UnderWay
from refresher.web.dashboard.routing import NotHere, Tone

Pairs = Sequence[tuple[str, str]]
AGAIN_SECONDS = 5
PASSING = frozenset({429, 503})
HIDDEN = ("key", "secret", "password", "token", "certificate")
"""Parts of the names of fields whose content is never shown again."""


@dataclass(eq=False)
class Refused(Exception):
    """A page that says why not. `words` say what to do; `typed` is what a form held.

    `again` are the fields of a form that may be sent again as it was.
    """

    status: int
    title: str
    sentence: str
    words: str = ""
    tone: Tone = "warn"
    link: str | None = None
    link_text: str = "Go on"
    typed: Pairs = ()
    again: Pairs = ()
    headers: Mapping[str, str] = field(default_factory=dict)


def nothing_here() -> Refused:
    """Returns the page for an address that leads nowhere, or to another organization's things."""
    return Refused(
        404,
        "Not found",
        "There is nothing at this address.",
        "It may have been deleted, or belong to another organization. The field above finds a "
        "connection by its external id, its name or its id.",
        "still",
    )


def wrong_method(allowed: Sequence[str]) -> Refused:
    """Returns the page for a method that an address does not take."""
    offered = ", ".join(sorted({*allowed, *({"HEAD"} if "GET" in allowed else ())}))
    return Refused(
        405,
        "Not offered here",
        "This address does not take such a request.",
        "Nothing was changed. Use the buttons of the pages.",
        headers={"allow": offered},
    )


def read_only() -> Refused:
    """Returns the page for a deed in a session that only looks."""
    return Refused(
        403,
        "Only looking",
        "This session only looks: nothing was changed.",
        "Sign in with a key that may change things, and without “Only look”.",
        link="/ui/account",
        link_text="Account",
    )


def scope_missing(scope: str, or_scope: str | None = None, *, is_bound: bool) -> Refused:
    """Returns the page for a deed that the key may not do."""
    for_all = " of all organizations" if is_bound and scope == "admin" else ""
    either = f"{scope} or {or_scope}" if or_scope else scope
    return Refused(
        403,
        "Not allowed",
        f"This needs a key{for_all} with the scope {either}: nothing was changed.",
        "Your key lacks it. Whoever makes keys can give you one that may.",
        link="/ui/account",
        link_text="Account",
    )


def too_often(seconds: float) -> Refused:
    """Returns the page for a session that asks too often."""
    wait = max(1, math.ceil(seconds))
    return Refused(
        429,
        "Too often",
        "This session asks more than 20 times a second.",
        f"Try again in {wait} s.",
        headers={"retry-after": str(wait)},
    )


def stale_form(typed: Pairs, back: str) -> Refused:
    """Returns the page for a form that is not of this session, with what was typed."""
    return Refused(
        403,
        "Form out of date",
        "This form is of an earlier session, or of another site: nothing was changed.",
        "Open its page anew, and send it from there.",
        link=back,
        link_text="Open it anew",
        typed=shown_again(typed),
    )


def shown_again(typed: Pairs) -> list[tuple[str, str]]:
    """Returns what a form held, but secrets and our own fields."""
    ours = {CSRF, ONCE, "if_match"}
    return [
        (name, value.replace("\r\n", "\n"))
        for name, value in typed
        if value and name not in ours and not _is_secret(name)
    ]


def with_form(refused: Refused, fields: Pairs) -> Refused:
    """Returns the page with what a form held; where waiting helps, with a button to send it again.

    It is the same form then, number and entity tag too: what was done after all is not done twice.
    """
    refused.typed = shown_again(fields)
    if refused.status in PASSING and not any(_is_secret(name) and value for name, value in fields):
        refused.again = [(name, value.replace("\r\n", "\n")) for name, value in fields]
    return refused


def _is_secret(name: str) -> bool:
    return any(word in name.lower() for word in HIDDEN)


def of(error: Exception, method: str, pattern: str) -> Refused:
    """Returns the page that an error is; a bug is told in the log, and not on the page."""
    if isinstance(error, Refused):
        return error
    if isinstance(error, UnderWay | Done):
        return Refused(409, "Done already", str(error), "Nothing is done twice.", "still")
    ours = {NotHere: nothing_here, TooSlow: _too_slow}
    for kind, page in ours.items():
        if isinstance(error, kind):
            return page()
    return _of_problem(problems.told(error, method, pattern))


def _of_problem(problem: problems.Problem) -> Refused:
    ours = {
        "database_unavailable": away,
        "internal": _a_bug,
        "not_found": nothing_here,
        "no_such_connection": nothing_here,
    }
    if problem.code in ours:
        return ours[problem.code]()
    wait = problem.retry_after_seconds
    headers = {"retry-after": str(max(1, math.ceil(wait)))} if wait is not None else {}
    sentence = words.sentence(problem.detail)
    return Refused(problem.status, problem.title, sentence, "Nothing was changed.", headers=headers)


def away() -> Refused:
    """Returns the page for a database that cannot be reached."""
    return Refused(
        503,
        "Postgres is away",
        "Postgres cannot be reached at the moment.",
        "Until it is back nothing is refreshed and nothing is lost. Nothing was changed by this "
        "request; try again in some seconds.",
        "bad",
        headers={"retry-after": str(AGAIN_SECONDS)},
    )


def _too_slow() -> Refused:
    return Refused(
        503,
        "That took too long",
        "Postgres took more than a second to answer: it has a lot to do.",
        "Try again, or narrow what you look for.",
        headers={"retry-after": str(AGAIN_SECONDS)},
    )


def _a_bug() -> Refused:
    return Refused(
        500,
        "Something went wrong",
        "There is an error in refresher.",
        "Its log tells which. If this was to change something, look whether it did before you try "
        "again.",
        "bad",
    )
