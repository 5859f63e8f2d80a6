"""Whose something is to be, and the pages of lists: shared by several handlers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from refresher.web import cursors
from refresher.web.call import Answer, Call
from refresher.web.problems import Problem

T = TypeVar("T")


def owner(call: Call) -> str | None:
    """Returns the organization that a body means, None for the operators; raises 403 or 422.

    A bound key means its own. A key for all must say which, or null: nobody becomes an operator's by
    forgetting a field.
    """
    own, given = call.key.organization_id, call.body.organization_id
    if own is not None:
        if given not in {None, own}:
            sentence = "organization_id is not the one that the API key belongs to"
            raise Problem("organization_mismatch", sentence)
        return own
    if "organization_id" not in call.body.model_fields_set:
        sentence = (
            "organization_id: it is missing; give an organization's id, or null for operators"
        )
        raise Problem("invalid_body", sentence)
    if given is not None and not given.strip():
        raise Problem("invalid_body", "organization_id: it is empty; give an organization's id")
    return str(given) if given is not None else None


def page(
    listing: object, found: Sequence[T], limit: int, place: Callable[[T], Sequence[str | int]]
) -> Answer:
    """Returns a page of a list of which one more than `limit` was read, to know whether it goes on."""
    items = found[:limit]
    cursor = cursors.write(listing, place(items[-1])) if len(found) > limit else None
    return Answer({"items": items, "next_cursor": cursor})
