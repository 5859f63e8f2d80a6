"""Checks webhooks: endpoints that are disabled or failing, messages that were given up."""

from __future__ import annotations

from collections.abc import Iterator

from refresher.cli.doctor.finding import Finding, ok, warn
from refresher.cli.output import distance, many
from refresher.settings import Settings, variable
from refresher.store import webhooks
from refresher.store.session import Database
from refresher.store.webhooks import EndpointView

MOST_TOLD = 20
"""So many endpoints are told one by one."""


def check(settings: Settings, database: Database) -> Iterator[Finding]:
    """Yields findings on webhooks; nothing at all where nobody is told by webhook."""
    with database.transaction() as db:
        found = webhooks.every(db)
    if not found:
        return
    if not settings.webhook_delivery.enabled:
        name = variable("webhook_delivery.enabled")
        yield warn("webhooks", f"{name} is false: no webhook is sent", f"set {name} to true")
    ailing = [told for view in found if (told := _told(view)) is not None]
    yield from ailing[:MOST_TOLD]
    if len(ailing) > MOST_TOLD:
        more = f"endpoints that are disabled or failing beside these: {len(ailing) - MOST_TOLD}"
        yield warn("webhooks", more, "`refresher webhooks list` shows all")
    waiting = sum(view.waiting for view in found)
    yield ok("webhooks", f"{many(len(found), 'endpoint')}; {many(waiting, 'message')} to send")


def _told(view: EndpointView) -> Finding | None:
    if view.disabled_at:
        return warn(
            "webhooks",
            f"{view.url} is disabled: {view.disabled_reason}; messages held: {view.held}",
            f"see to it, then `refresher webhooks enable {view.id}`",
        )
    if view.failing_since:
        return warn(
            "webhooks",
            f"{view.url} fails since {distance(view.failing_since)}; "
            f"messages that wait: {view.waiting}",
            f"`refresher webhooks deliveries {view.id}` tells why",
        )
    if view.failed:
        return warn(
            "webhooks",
            f"messages to {view.url} that were given up: {view.failed}",
            f"`refresher webhooks replay {view.id} --failed` sends them again",
        )
    return None
