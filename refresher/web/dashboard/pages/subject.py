"""The connection that an address names."""

from __future__ import annotations

from refresher.insight import subject as subjects
from refresher.insight.subject import Subject
from refresher.web.dashboard.routing import NotHere
from refresher.web.dashboard.visit import Visit

Tags = frozenset[str] | None


def subject(visit: Visit) -> Subject:
    """Returns the connection that the address names, deleted ones too; raises `NotHere`."""
    connection_id, own = visit.uuid("id"), visit.key.organization_id
    with visit.reading() as db:
        found = subjects.find(db, visit.services.catalogue, connection_id, own)
    if found is None:
        raise NotHere
    return found


def tags(visit: Visit) -> Tags:
    """Returns the entity tag that the form was made with; None: any version will do."""
    given = visit.form.get("if_match")
    return frozenset({given}) if given else None
