"""The word of a connection in SQL is the word of the rule."""

import re

from sqlalchemy import text

from refresher.rules.standing_word import Health, HealthFacts, health
from refresher.store.words import HEALTH
from tests.world import World

EVERY_KIND = f"""
    select {HEALTH} as word, s.state, r.status, s.parked_reason, s.postponed_by, s.attempt as failures,
        deleted as is_deleted, disabled as is_disabled, paused as is_paused,
        between as in_between_steps, expired as is_expired, late as late_seconds
    from unnest(array[true, false]) deleted, unnest(array[true, false]) disabled,
        unnest(array[true, false]) paused, unnest(array[true, false]) between,
        unnest(array[true, false, null]) expired, unnest(array[29.0, 31.0]) late,
        unnest(array['active', 'reconnect_required']) grant_status,
        unnest(array[0, 1, 2, null]) row_state, unnest(array[0, 3]) failures,
        unnest(array['provider:acme', 'rate:acme', 'pace:acme', null]) waits,
        unnest(array['missing', 'disabled', 'paused', 'mid_oauth', 'reconnect_required', 'crash_loop',
            null]) why,
        lateral (select case when deleted then now() end as deleted_at,
            case when disabled then now() end as disabled_at,
            case when paused then now() end as paused_at,
            between as in_between_steps) c,
        lateral (select grant_status as status,
            refresher_now() + case when expired then -1 when not expired then 1 end * interval '1 min'
                as expires_at) r,
        lateral (select row_state as state, waits as postponed_by, failures as attempt,
            why as parked_reason, refresher_now() - late * interval '1 second' as due_at) s
    """
STATES = {0: "idle", 1: "leased", 2: "parked", None: "none"}


def test_sql_says_what_the_rule_says(world: World) -> None:
    """Of every kind of row, whatever else holds; and every word is said of some."""
    said = set()
    with world.services.database.transaction() as db:
        for row in db.execute(text(EVERY_KIND)).mappings():
            given = dict(row)
            word, given["state"] = given.pop("word"), STATES[given["state"]]
            given["is_expired"] = bool(given["is_expired"])
            said.add(word)
            assert word == health(HealthFacts(**given)), given
    assert said == set(Health)


def test_the_view_for_readers_says_the_same(world: World) -> None:
    """Its word is the expression of today, and it has each connection; `due` what is scheduled."""
    newest = f"""
        create temporary view today as select {HEALTH} as health
        from connection c join connection r on r.id = coalesce(c.root_id, c.id)
        left join refresh_schedule s on s.connection_id = r.id
        """
    with world.services.database.transaction() as db:
        db.execute(text(newest))
        views = ("connections", "today")
        told = [str(db.scalar(text(f"select pg_get_viewdef('{name}')"))) for name in views]
    said = [re.findall(r"CASE\s+WHEN.*?END AS health", one, re.DOTALL) for one in told]
    assert said[0] == said[1]
    assert len(said[0]) == 1
    world.connect("late", expires_in=0)
    world.connect("held")
    world.run("update connection set paused_at = now() where external_id = 'held'")
    world.pass_time(40)
    rows = world.rows("select external_id, health, state from connections order by due_at")
    assert [tuple(row) for row in rows] == [
        ("late", "expired", "scheduled"), ("held", "paused", "scheduled"),
    ]  # fmt: skip
    assert (
        world.one("select external_id, due_in from due order by due_at limit 1").external_id
        == "late"
    )
