"""Recipients: who is told by mail, of which organization's connections, and whom no mail reaches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from refresher.notify import recipients as people
from refresher.notify.recipients import NoSuchRecipient
from refresher.rules.access import Scope
from refresher.rules.mails import DEFAULTS, Choice
from refresher.rules.notices import Kind
from refresher.rules.words import counted
from refresher.store import recipients
from refresher.store.recipients import Recipient, Told
from refresher.web.dashboard.asking import fitting, mistakes_on, place
from refresher.web.dashboard.routing import Goto, NotHere, Page, Route, Tone
from refresher.web.dashboard.visit import Visit
from refresher.web.paging import read_texts, write
from refresher.web.problems import Problem
from refresher.web.shapes import Choices, RecipientBody

A_PAGE = 50
USUAL = "usual"
HOW = {Choice.IMMEDIATE: "at once", Choice.DIGEST: "in a digest", Choice.NONE: "not at all"}


@dataclass(frozen=True, slots=True)
class RecipientsView:
    """A page of the list, and the form for one more, with what was typed."""

    sentence: str
    tone: Tone
    rows: Sequence[Recipient]
    only: str
    asks_whose: bool
    next: str | None
    said: str | None
    address: str = ""
    organization: str = ""
    operators: bool = False


@dataclass(frozen=True, slots=True)
class ChoiceRow:
    """How one kind of news is told."""

    kind: str
    chosen: str
    usual: str


@dataclass(frozen=True, slots=True)
class RecipientView:
    """How one recipient is told."""

    recipient: Recipient
    sentence: str
    tone: Tone
    choices: Sequence[ChoiceRow]


def list_(visit: Visit) -> Page:
    """Shows who is told."""
    return _list(visit)


def add(visit: Visit) -> Goto:
    """Has somebody told, or told again where the address was refused."""
    with mistakes_on(lambda: _list(visit)):
        given = {"address": visit.form.get("address", "").strip()}
        body = fitting(RecipientBody, given | {"organization_id": _owner(visit)})
        settings = visit.services.settings
        stored, is_new = people.put(
            visit.database, settings, visit.actor, body.organization_id, body.address, {}
        )
    whose = _whose(stored)
    said = f"{stored.address} is told of {whose}." if is_new else _again(stored)
    return Goto(f"/ui/recipients/{stored.id}", said)


def show(visit: Visit) -> Page:
    """Shows how somebody is told."""
    return _one(visit, "recipient.html")


def ask_remove(visit: Visit) -> Page:
    """Asks before somebody is told no more."""
    return _one(visit, "recipient_remove.html")


def choose(visit: Visit) -> Goto:
    """Changes how each kind of news is told."""
    stored = _found(visit)
    with mistakes_on(lambda: show(visit)):
        given = {kind.value: visit.form.get(kind.value, USUAL) for kind in Kind}
        wanted = {kind: None if how == USUAL else how for kind, how in given.items()}
        body = fitting(Choices, {"choices": wanted})
        plain = {kind.value: how and how.value for kind, how in body.choices.items()}
        people.choose(visit.database, visit.actor, stored.id, plain)
    return Goto(f"/ui/recipients/{stored.id}", "It is kept: the next news is told so.")


def unblock(visit: Visit) -> Goto:
    """Tries an address again that a mail server refused, with what it was not told."""
    stored = _found(visit)
    settings, whose = visit.services.settings, stored.organization_id
    with mistakes_on(lambda: show(visit)):
        people.put(visit.database, settings, visit.actor, whose, stored.address, {})
    return Goto(f"/ui/recipients/{stored.id}", _again(stored))


def remove(visit: Visit) -> Goto:
    """Has somebody told no more."""
    stored = _found(visit)
    people.drop(visit.database, visit.actor, stored.id)
    return Goto("/ui/recipients", f"{stored.address} is told no more of {_whose(stored)}.")


def _list(visit: Visit) -> Page:
    operators = visit.is_everybodys and visit.query.get("which") == "operators"
    refused = visit.query.get("which") == "refused"
    whose = "" if operators else visit.organization_id
    listing = ("recipients", whose, refused)
    at, said = place(lambda name, cursor: read_texts(name, cursor, 2), listing, _cursor(visit))
    after = (at[0], at[1]) if at else ("", "")
    with visit.reading() as db:
        told = recipients.told(db, whose)
        if refused:
            found = recipients.blocked(db, whose, after=after, limit=A_PAGE + 1)
        else:
            found = recipients.page(db, [whose], after=after, limit=A_PAGE + 1)
    rows = found[:A_PAGE]
    last = [rows[-1].organization_id or "", rows[-1].address] if len(found) > A_PAGE else None
    sentence, tone = _sentence(told)
    view = RecipientsView(
        sentence=sentence,
        tone=tone,
        rows=rows,
        only="operators" if operators else "refused" if refused else "",
        asks_whose=visit.is_everybodys,
        next=write(listing, last) if last else None,
        said=said,
        address=visit.form.get("address", ""),
        organization=visit.form.get("organization", visit.query.get("organization", "")),
        operators="operators" in visit.form,
    )
    return Page("recipients.html", view, "Recipients")


def _cursor(visit: Visit) -> str | None:
    return visit.query.get("cursor")


def _one(visit: Visit, template: str) -> Page:
    stored = _found(visit)
    choices = [
        ChoiceRow(
            kind.value,
            visit.form.get(kind.value, stored.choices.get(kind.value, USUAL)),
            HOW[DEFAULTS.get(kind, Choice.DIGEST)],
        )
        for kind in Kind
    ]
    sentence, tone = f"{stored.address} is told of {_whose(stored)}.", "good"
    if stored.blocked_at is not None:
        sentence, tone = "No mail reaches this address: a mail server refused it.", "bad"
    view = RecipientView(stored, sentence, tone, choices)  # type: ignore[arg-type]
    return Page(template, view, stored.address, has_live_parts=False)


def _found(visit: Visit) -> Recipient:
    try:
        return people.find(visit.database, visit.uuid("id"), visit.key.organization_id)
    except NoSuchRecipient:
        raise NotHere from None


def _owner(visit: Visit) -> str | None:
    """Returns whose recipient it is to be: nobody becomes an operator's by forgetting a field."""
    if visit.key.organization_id is not None:
        return visit.key.organization_id
    organization = visit.form.get("organization", "").strip()
    if bool(organization) == ("operators" in visit.form):
        sentence = "organization: give an organization's id, or tick that it is an operator"
        raise Problem("invalid_body", sentence)
    return organization or None


def _whose(recipient: Recipient) -> str:
    whose = recipient.organization_id
    return "the apps" if whose is None else f"the connections of {whose}"


def _again(recipient: Recipient) -> str:
    return f"{recipient.address} is told again, also what was refused for it."


def _sentence(told: Told) -> tuple[str, Tone]:
    if not told.known:
        return "Nobody is told by mail yet.", "still"
    known = counted(told.known, "recipient")
    are = "is" if told.known == 1 else "are"
    if not told.refused:
        return f"{known} {are} told by mail.", "good"
    refused = "address was" if told.refused == 1 else "addresses were"
    return f"{known} {are} told by mail; {counted(told.refused)} {refused} refused.", "warn"


ROUTES = (
    Route("GET", "/ui/recipients", list_, section="recipients"),
    Route("POST", "/ui/recipients", add, Scope.WRITE, section="recipients"),
    Route("GET", "/ui/recipients/{id}", show, section="recipients"),
    Route("POST", "/ui/recipients/{id}", choose, Scope.WRITE, section="recipients"),
    Route("POST", "/ui/recipients/{id}/unblock", unblock, Scope.WRITE, section="recipients"),
    Route("GET", "/ui/recipients/{id}/remove", ask_remove, Scope.WRITE, section="recipients"),
    Route("POST", "/ui/recipients/{id}/remove", remove, Scope.WRITE, section="recipients"),
)
