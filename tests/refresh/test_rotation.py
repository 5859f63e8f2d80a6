"""Keys are changed while everything runs: nothing is lost, nothing fails, nobody's version moves."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import replace
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from refresher.catalogue import AppEntry
from refresher.connections.key_rotation import KeyRotation, rotate
from refresher.connections.oauth_apps import store_app
from refresher.notify import endpoints
from refresher.notify.endpoints import WantedEndpoint
from refresher.outbound.egress import Egress
from refresher.refresh.steps import refresh
from refresher.rules.clients import ClientCredentials
from refresher.rules.connection import Secret
from refresher.runtime import clients
from refresher.runtime.cipher import Cipher, new_key, parse_key
from refresher.store import oauth_apps, sealed
from refresher.store.sealed import SEALED, key_uses
from refresher.store.tables import metadata
from refresher.store.webhooks import PREVIOUS_SECRET, SECRET
from tests.notify.webhooks.kit import ANN
from tests.world import World

CONNECTION = next(table for table in SEALED if table.name == "connection")


def old_and_new(world: World) -> tuple[Cipher, Cipher, Cipher]:
    """The world's own cipher, one that seals with a new key and opens both, and the new one alone."""
    keys = [parse_key(k.get_secret_value()) for k in world.services.settings.encryption_keys]
    new = parse_key(new_key())
    return world.services.cipher, Cipher([new, *keys]), Cipher([new])


def run(world: World, cipher: Cipher) -> KeyRotation:
    """Rotates to the end."""
    *_, last = rotate(world.services.database, cipher)
    return last


def uses(world: World) -> dict[tuple[str, str], list[str]]:
    """Which keys sealed each column."""
    found: dict[tuple[str, str], list[str]] = {}
    with world.services.database.transaction() as db:
        for use in key_uses(db):
            found.setdefault((use.table, use.column), []).append(use.key_id)
    return found


def keep_a_late_pair(world: World, connection_id: UUID) -> None:
    """Puts a pair into quarantine, as a fenced refresh does."""
    seal = world.services.cipher.seal
    world.run(
        "insert into quarantine (id, connection_id, grant_number, credential_version, "
        "access_token, refresh_token) values (:id, :c, 1, 1, :a, :r)",
        id=uuid4(),
        c=connection_id,
        a=seal(Secret("late-access"), connection_id, "access_token"),
        r=seal(Secret("late-refresh"), connection_id, "refresh_token"),
    )


def test_every_sealed_column_gets_the_first_key(world: World, monkeypatch: pytest.MonkeyPatch):
    """After a rotation the old key opens nothing and is not needed; the values are the same."""
    monkeypatch.setattr("refresher.connections.key_rotation.PAGE", 2)
    _, both, alone = old_and_new(world)
    ids = [world.connect(f"c{number}") for number in range(5)]
    keep_a_late_pair(world, ids[0])
    before = world.rows(
        "select id, credential_version, updated_at, xmin from connection order by id"
    )

    done = run(world, both)

    assert (done.resealed, done.changed_meanwhile, done.unopenable) == (5 + 1 + 1, 0, {})
    assert set(map(tuple, uses(world).values())) == {(alone.key_ids[0],)}
    after = world.rows(
        "select id, credential_version, updated_at, xmin from connection order by id"
    )
    assert [row[:3] for row in after] == [row[:3] for row in before]
    late = world.one("select access_token, refresh_token from quarantine")
    assert alone.open(late.refresh_token, ids[0], "refresh_token").reveal() == "late-refresh"
    app = world.one("select id, client_secret from app where client_secret is not null")
    assert alone.open(app.client_secret, app.id, "client_secret").reveal() == "app-secret"
    world.services = replace(world.services, cipher=alone)
    assert [world.token(one, "refresh_token") for one in ids] == [
        f"refresh-of-c{number}" for number in range(5)
    ]


def test_the_secrets_of_webhooks_are_sealed_anew(world: World):
    """Both secrets of an endpoint get the first key, and sign as before with the new key alone."""
    _, both, alone = old_and_new(world)
    database, cipher = world.services.database, world.services.cipher
    wanted = WantedEndpoint("http://127.0.0.1:9/hook", ["*"])
    endpoint, first = endpoints.add(database, cipher, Egress(loopback=True), wanted, ANN)
    second, _ = endpoints.rotate_secret(database, cipher, endpoint, ANN, overlap_seconds=60)

    done = run(world, both)

    assert (done.resealed, done.unopenable) == (2, {})  # the app's and the endpoint's row
    row = world.one("select secret, previous_secret from webhook_endpoint")
    assert alone.open(row.secret, endpoint, SECRET).reveal() == second.reveal()
    assert alone.open(row.previous_secret, endpoint, PREVIOUS_SECRET).reveal() == first.reveal()


def test_the_material_of_an_app_is_sealed_anew(world: World):
    """Its keys, former secret and values open with the new key alone, and are the same."""
    _, both, alone = old_and_new(world)
    client = ClientCredentials("id", Secret("now"), Secret("former"), placeholders={"tenant": "t"})
    store_app(world.services.database, world.services.cipher, AppEntry("acme", client, "eu"))

    done = run(world, both)

    assert (done.values, done.unopenable) == (3, {})  # both secrets, and the one's material
    with world.services.database.transaction() as db:
        app = oauth_apps.find(db, "acme", "eu")
    assert app is not None
    assert clients.opened(alone, app) == client


def noted(world: World) -> list[str]:
    """What the service-wide events of rotations tell, in their order."""
    sql = "select connection_id, reason from refresh_event where kind = 'key_rotated' order by id"
    rows = world.rows(sql)
    assert all(row.connection_id is None for row in rows)
    return [row.reason for row in rows]


def test_a_run_that_ends_leaves_one_event(world: World):
    """A run's end is a service-wide event with how many values moved; a stopped one leaves none."""
    _, both, alone = old_and_new(world)
    one = world.connect()
    keep_a_late_pair(world, one)

    next(rotate(world.services.database, both))
    assert noted(world) == []
    run(world, both)
    run(world, both)

    key = alone.key_ids[0]
    assert noted(world) == [
        f"4 values sealed anew with key {key}",
        f"0 values sealed anew with key {key}",
    ]


def test_a_second_run_has_nothing_to_do(world: World):
    """What has the first key is passed over, so a run that was stopped is simply started again."""
    _, both, _ = old_and_new(world)
    for number in range(3):
        world.connect(f"c{number}")
    next(rotate(world.services.database, both))

    assert run(world, both).resealed > 0
    assert run(world, both).resealed == 0


def test_a_refresh_in_between_wins(world: World):
    """A pair that was stored after we read the row is not overwritten, and is sealed anew later."""
    _, both, alone = old_and_new(world)
    one = world.connect(expires_in=1)
    database = world.services.database
    with database.transaction() as db:
        rows = sealed.not_sealed_by(db, CONNECTION, both.key_ids[0], UUID(int=0), one)
    world.pass_time(60)
    assert world.tick() == Counter(refreshed=1)

    stale = {c: both.seal(Secret("stale"), one, c) for c in CONNECTION.columns}
    with database.transaction() as db:
        assert sealed.replace(db, CONNECTION, [(rows[0], stale)]) == frozenset()

    assert world.token(one) == "access-1"
    assert run(world, both).resealed == 2
    world.services = replace(world.services, cipher=alone)
    assert (world.token(one), world.token(one, "refresh_token")) == ("access-1", "refresh-1")
    assert world.row(one).credential_version == 2


def test_a_row_that_is_held_is_passed_over(world: World):
    """We never wait for somebody's lock; the row's turn comes in the next pass, or the next run."""
    _, both, _ = old_and_new(world)
    one = world.connect("c1")
    world.connect("c2")
    database = world.services.database

    with database.transaction() as db:
        db.execute(text("update connection set name = 'held' where id = :id"), {"id": one})
        passed = [done.changed_meanwhile for done in rotate(database, both)]
        held = run(world, both)

    assert max(passed) == 1
    assert not held.complete
    assert held.passes == 10
    assert noted(world)[-1].endswith("; 1 rows are left")
    assert uses(world)["connection", "access_token"] != [both.key_ids[0]]
    assert run(world, both).complete
    assert uses(world)["connection", "access_token"] == [both.key_ids[0]]


def test_what_no_key_opens_is_told_and_left(world: World):
    """A damaged value and one of an unknown key are counted with their ids; the others are done."""
    _, both, alone = old_and_new(world)
    fine, damaged, foreign = (world.connect(name) for name in ("fine", "damaged", "foreign"))
    world.run(
        "update connection set access_token = set_byte(access_token, 20, "
        "get_byte(access_token, 20) # 1) where id = :id",
        id=damaged,
    )
    strange = Cipher([parse_key(new_key())]).seal(Secret("x"), foreign, "access_token")
    world.run("update connection set access_token = :t where id = :id", t=strange, id=foreign)

    done = run(world, both)

    assert set(done.unopenable) == {("connection", damaged), ("connection", foreign)}
    assert done.complete
    row = world.one("select access_token, refresh_token from connection where id = :i", i=foreign)
    assert bytes(row.access_token) == strange
    assert alone.open(row.refresh_token, foreign, "refresh_token").reveal() == "refresh-of-foreign"
    world.services = replace(world.services, cipher=alone)
    assert world.token(fine) == "access-of-fine"


def test_refreshes_go_on_under_a_rotation(world: World, monkeypatch: pytest.MonkeyPatch):
    """With refreshes in every page's way, none fails, and every pair in the end is the newest one."""
    monkeypatch.setattr("refresher.connections.key_rotation.PAGE", 7)
    _, both, alone = old_and_new(world)
    ids = [world.connect(f"c{number}") for number in range(60)]
    services = replace(world.services, cipher=both)
    stop, tally = threading.Event(), Counter[str]()

    def refreshing() -> None:
        while not stop.is_set():
            world.run("update refresh_schedule set due_at = refresher_now() where state = 0")
            tally.update(refresh(services, world.claim()))

    thread = threading.Thread(target=refreshing)
    thread.start()
    while not tally:
        run(world, both)
    run(world, both)
    stop.set()
    thread.join()

    assert set(tally) <= {"refreshed", "stale"}
    assert tally["refreshed"] >= 60
    assert tally["stale"] == 0
    assert run(world, both).complete
    world.services = replace(world.services, cipher=alone)
    last = {world.token(one, "refresh_token") for one in ids}
    assert len(last) == 60
    assert {world.row(one).state for one in ids} == {0}


def test_the_declaration_knows_every_sealed_column():
    """A table that gets a sealed column is rotated too: every binary column is named, or excused."""
    named = {(table.name, column) for table in SEALED for column in table.columns}
    binary = {
        (table.name, column.name)
        for table in metadata.tables.values()
        for column in table.columns
        if str(column.type) == "BLOB"
    }
    assert binary - named == set(NOT_SEALED)


NOT_SEALED = (
    ("api_key", "secret_hash"),
    ("connect_attempt", "cookie_hash"),
    ("connect_attempt", "nonce_hash"),
    ("connect_attempt", "state_hash"),
    ("connect_session", "finish_code_hash"),
    ("connect_session", "link_hash"),
    ("idempotency", "fingerprint"),
    ("idempotency", "body"),  # answers to writes, which never hold a token
    ("web_session", "secret_hash"),
)
"""Binary columns that hold hashes or the like: (table, column)."""


def test_apps_without_a_secret_stay_without(world: World):
    """A value that is absent is not sealed."""
    _, both, _ = old_and_new(world)

    run(world, both)

    with world.services.database.transaction() as db:
        found = oauth_apps.find(db, "paced", "default")
    assert found is not None
    assert found.client_secret is None
