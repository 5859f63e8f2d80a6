"""Doctor says why nobody can enter the dashboard by a proxy."""

import pytest

from refresher.connections import api_keys
from refresher.insight.doctor import dashboard
from refresher.rules.access import Actor, Scope
from refresher.settings import Settings
from tests.world import World

BY = Actor("cli:ann")


@pytest.mark.parametrize(
    ("case", "level", "words"),
    [
        ("good", "ok", "with the rights of the key proxy"),
        ("unknown", "warn", "is unknown"),
        ("revoked", "warn", "is revoked"),
        ("no read", "warn", "may not read"),
    ],
)
def test_the_key_of_a_proxy_is_looked_at(world: World, case: str, level: str, words: str):
    """One finding, with what to do about it; none where no proxy signs anybody in."""
    database = world.services.database
    scopes = {Scope.WRITE} if case == "no read" else {Scope.READ}
    key_id = api_keys.create(database, name="proxy", scopes=scopes, by=BY).key.id
    if case == "revoked":
        api_keys.revoke(database, key_id, by=BY)
    given = "a" * 12 if case == "unknown" else key_id
    settings = world.services.settings.model_copy(update={"dashboard_proxy_key_id": given})
    (finding,) = dashboard.check(settings, database)
    assert (finding.level, words in finding.message) == (level, True)
    assert (finding.mend is not None) is (level == "warn")
    assert list(dashboard.check(Settings(), database)) == []
