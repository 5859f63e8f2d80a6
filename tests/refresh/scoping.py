"""A world whose connections have hosts and organizations, and what tests of scopes do in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from uuid import UUID

from refresher.catalogue import Catalogue, load
from refresher.rules.outcomes import Reply
from refresher.rules.providers import ClientAuth, Provider
from refresher.rules.requests import TokenRequest
from refresher.store import oauth_apps
from tests.world import PROVIDERS, World, granted

SHOPS = Provider(
    "shops",
    "https://{host}/token",
    host_pattern=r"[a-z0-9.]+\.example",
    client_auth=ClientAuth.POST,
    access_token_lifetime_seconds=3600,
)


def opened(database_url: str) -> World:
    """Returns a world with a provider whose connections have a host each, and the built-in ones."""
    made = World(database_url)
    known = {p.name: p for p in (*load().providers, *PROVIDERS, SHOPS)}
    made.services = replace(made.services, catalogue=Catalogue(known, {}))
    with made.services.database.transaction() as db:
        for name in ("shops", "microsoft", "salesforce"):
            oauth_apps.put(db, name, "default", "id", None)
    return made


def answering(world: World, life: float, bad: Callable[[TokenRequest], Reply | None]) -> None:
    """Has the provider grant tokens of this life, but for the requests that `bad` answers."""

    def answer(request: TokenRequest) -> Reply:
        n = len(world.script.asked)
        return bad(request) or granted(access_token=f"a-{n}", expires_in=life)

    world.script.answer = answer


def expired(world: World, ids: list[UUID]) -> list[str]:
    """Returns which of these have a dead token now."""
    sql = (
        "select external_id from connection where id = any(:ids) and expires_at <= refresher_now()"
    )
    return [row.external_id for row in world.rows(sql, ids=ids)]


def live(world: World, ids: list[UUID], *, seconds: float, step: float) -> None:
    """Lets time pass, a step at a time, in which none of these may be without a living token."""
    for _ in range(int(seconds / step)):
        world.pass_time(step)
        world.tick()
        assert expired(world, ids) == []


def is_of(request: TokenRequest, external_id: str) -> bool:
    """Whether a request is this connection's, which never rotates."""
    return request.parameters.get("refresh_token") == f"refresh-of-{external_id}"
