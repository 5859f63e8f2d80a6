"""What people may change of a connection: name, metadata, scopes. What was typed stays."""

from __future__ import annotations

import json
from dataclasses import dataclass

from refresher.connections import lifecycle
from refresher.connections.lifecycle import Changed
from refresher.errors import InvalidConnection, NoSuchConnection
from refresher.insight.subject import Subject
from refresher.rules.access import Scope
from refresher.rules.deed_words import CHANGED, DONE
from refresher.rules.deeds import Deed
from refresher.web.dashboard.pages import deeds
from refresher.web.dashboard.pages.deeds import CONFLICT, Question
from refresher.web.dashboard.pages.subject import subject, tags
from refresher.web.dashboard.routing import Answer, Goto, Mistaken, Page, Route
from refresher.web.dashboard.visit import Visit

PATTERN = "/ui/connections/{id}/edit"


@dataclass(frozen=True, slots=True)
class Edited:
    """The form: what stands in its fields, as texts."""

    of: Subject
    name: str
    metadata: str
    scopes: str


def show(visit: Visit) -> Page:
    """Shows the form with what is stored."""
    of = subject(visit)
    if of.etag is None:
        return deeds.page(Question(of, Deed.EDIT, deeds.GONE))
    return _page(_stored(of))


def save(visit: Visit) -> Answer:
    """Stores what was changed, and nothing else."""
    of = subject(visit)
    if of.etag is None:
        return deeds.page(Question(of, Deed.EDIT, deeds.GONE), CONFLICT)
    names = ("name", "metadata", "scopes")
    edited = Edited(of, *(visit.form.get(name, "").replace("\r\n", "\n") for name in names))
    given = _given(edited)
    try:
        after = lifecycle.change(visit.database, visit.actor, of.id, given, tags(visit))
    except Changed:
        raise Mistaken(f"{CHANGED} {_now(of)}", _page(edited), CONFLICT) from None
    except NoSuchConnection:
        return deeds.page(Question(subject(visit), Deed.EDIT, deeds.GONE), CONFLICT)
    except InvalidConnection as wrong:
        raise Mistaken(f"Nothing was changed: {wrong}.", _page(edited)) from None
    name = after.seen.name or after.seen.external_id
    return Goto(of.address, f"{name} {DONE[Deed.EDIT]}.")


def _given(edited: Edited) -> dict[str, object]:
    """Returns the fields that differ from what is stored; raises `Mistaken` for what is no JSON."""
    before = _stored(edited.of)
    given: dict[str, object] = {}
    if edited.name != before.name:
        given["name"] = edited.name.strip() or None
    if edited.scopes.split() != before.scopes.split():
        given["scopes"] = edited.scopes.split()
    if edited.metadata.strip() != before.metadata.strip():
        given["metadata"] = _metadata(edited)
    return given


def _metadata(edited: Edited) -> object:
    try:
        found = json.loads(edited.metadata or "{}")
    except ValueError as wrong:
        where = f", line {wrong.lineno}" if isinstance(wrong, json.JSONDecodeError) else ""
        sentence = f"Nothing was changed: the metadata is no JSON{where}."
        raise Mistaken(sentence, _page(edited)) from None
    except RecursionError:
        raise Mistaken("Nothing was changed: the metadata nests too deep.", _page(edited)) from None
    if not isinstance(found, dict):
        sentence = 'Nothing was changed: the metadata must be a JSON object, such as {"team": 7}.'
        raise Mistaken(sentence, _page(edited))
    return found


def _stored(of: Subject) -> Edited:
    seen = of.seen
    metadata = json.dumps(seen.metadata, indent=2, ensure_ascii=False) if seen.metadata else ""
    return Edited(of, seen.name or "", metadata, "\n".join(seen.scopes))


def _now(of: Subject) -> str:
    stored = _stored(of)
    return f'Its name is now "{stored.name}"; what you typed still stands below.'


def _page(edited: Edited) -> Page:
    title = f"Change {edited.of.name}"
    return Page("edit.html", edited, title, has_live_parts=False)


ROUTES = (
    Route("GET", PATTERN, show, Scope.WRITE, section="connections"),
    Route("POST", PATTERN, save, Scope.WRITE, section="connections"),
)
