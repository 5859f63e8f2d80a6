"""Finds the webhook endpoint that somebody means: a whole id, or its beginning."""

from __future__ import annotations

import re
from typing import Annotated
from uuid import UUID

import typer

from refresher.cli.refusal import WrongUse
from refresher.errors import NoSuchWebhook
from refresher.notify import endpoints
from refresher.store import webhooks as stored
from refresher.store.session import Database
from refresher.store.webhooks import EndpointView

WHOLE_ID, SHORTEST_PREFIX = 32, 8
WebhookId = Annotated[
    str, typer.Argument(help="The endpoint's id, or its beginning (8 characters or more).")
]
Organization = Annotated[str | None, typer.Option(help="Only this organization's endpoints.")]


def find(database: Database, given: str, organization: str | None) -> EndpointView:
    """Returns the endpoint; raises in one sentence when it is none, or another organization's."""
    digits = given.strip().replace("-", "").lower()
    if not re.fullmatch(rf"[0-9a-f]{{{SHORTEST_PREFIX},{WHOLE_ID}}}", digits):
        raise WrongUse(
            f"{_shown(given)} is no webhook endpoint's id, nor the beginning of one (8 characters or "
            "more); `refresher webhooks list` shows all"
        )
    with database.transaction() as db:
        ids: list[UUID] = stored.beginning(db, digits)
    if len(ids) > 1:
        raise WrongUse(f"{_shown(given)} is the beginning of several ids: give a whole one")
    if not ids:
        raise NoSuchWebhook(given.strip(), organization)
    return endpoints.find(database, ids[0], organization)


def _shown(given: str) -> str:
    return f'"{given[:80]}"' if given.isprintable() else "this"
