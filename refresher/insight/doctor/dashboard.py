"""Checks whether people can enter the dashboard by the proxy that names them."""

from __future__ import annotations

from collections.abc import Iterator

from refresher.insight.doctor import Finding, ok, warn
from refresher.rules.access import Scope, standing
from refresher.settings import Settings
from refresher.store import api_keys
from refresher.store.session import Database

SETTING = "REFRESHER_DASHBOARD_PROXY_KEY_ID"


def check(settings: Settings, database: Database) -> Iterator[Finding]:
    """Yields one finding where a proxy signs people in."""
    key_id = settings.dashboard_proxy_key_id
    if key_id is None or settings.dashboard == "off":
        return
    with database.transaction() as db:
        key, now = api_keys.find(db, key_id)
    refusal = "unknown" if key is None else standing(key, now)
    if key is not None and refusal is None and Scope.READ in key.scopes:
        yield ok("dashboard", f"a proxy signs people in with the rights of the key {key.name}")
        return
    why = f"is {refusal}" if refusal else "may not read"
    mend = f"`refresher keys create --name proxy --scope read`, and give its id in {SETTING}"
    yield warn("dashboard", f"nobody enters by the proxy: the API key {key_id} {why}", mend)
