"""Any order of claims, deliveries, losses, deaths and people's wishes: the real store against a model.

Hypothesis draws the schedules. The store, the story and the sweep are real, on Postgres; the clock and
the provider are simulated. The model is `machine/reference.py`.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from uuid_utils.compat import uuid7

from refresher.refresh import dispatch
from refresher.runtime import checkpoints
from refresher.runtime.checkpoints import Point
from refresher.runtime.cipher import new_key
from refresher.store import state_changes
from refresher.store.sweep import release_unbegun, sweep
from refresher.testing.history import check_history
from tests.machine.reference import CRASH_LIMIT, Row, StrictProvider
from tests.machine.simulation import Simulation

# In parts that may run in parallel, each with dice of its own that fall the same way each time.
SCHEDULES, PARTS = 200, 4
NAMES = ("ann", "bob", "cyd")
STATES = {0: "idle", 1: "leased", 2: "parked"}
DEATHS: tuple[Point, ...] = ("reloaded", "begun", "replied", "committing", "committed")
_STORED = """
    select c.id, s.state, s.lease_token, s.begun_token = s.lease_token and s.begun_token > 0 as begun,
        s.starts, s.unknown_outcomes, s.parked_reason, c.status = 'active' as active,
        c.credential_version, c.refresh_token
    from connection c join refresh_schedule s on s.connection_id = c.id
"""


class Schedules(Simulation):
    """Three accounts, two workers, a queue that may lose and repeat, and a strict provider."""

    @initialize(grace_seconds=st.sampled_from([0, 30, 1000]), revokes=st.booleans())
    def empty(self, grace_seconds: int, revokes: bool) -> None:
        """Starts with nothing, and a provider of one kind."""
        self.begin_anew(StrictProvider(grace_seconds, revokes=revokes))
        for name in NAMES[:2]:
            self.connect(name)

    # --- People

    @rule(name=st.sampled_from(NAMES))
    def connect(self, name: str) -> None:
        """A user consents, for the first time or again."""
        token = self.provider.grant(name)
        id_ = self.world.connect(
            name, access_token=f"at-{token}", refresh_token=token, expires_in=0
        )
        before = self.model.get(id_)
        self.names[id_] = name
        self.model[id_] = Row(token)
        if before is not None:
            self.model[id_].version, self.model[id_].lease = before.version + 1, before.lease + 1
            self.model[id_].paused = before.paused
            if before.paused:
                self.model[id_].end_lease("parked", "paused")

    @rule(data=st.data())
    def pause(self, data: st.DataObject) -> None:
        """A person sets a connection aside; a refresh in flight ends normally."""
        id_ = self.any_connection(data)
        with self.world.services.database.transaction() as db:
            state_changes.stop(db, id_, "paused")
        row = self.model[id_]
        row.paused = True
        if row.state != "leased":
            row.end_lease("parked", "paused")

    @rule(data=st.data())
    def resume(self, data: st.DataObject) -> None:
        """A person lets it go on, with whatever token is stored."""
        id_ = self.any_connection(data)
        with self.world.services.database.transaction() as db:
            state_changes.resume(db, id_)
        row = self.model[id_]
        row.paused, row.active = False, True
        self.excused[self.names[id_]] += 1
        if row.state == "parked":
            row.end_lease("idle")
            row.lease, row.starts = row.lease + 1, 0

    @rule(data=st.data())
    def revoke(self, data: st.DataObject) -> None:
        """A user withdraws the consent at the provider."""
        self.provider.revoke(self.names[self.any_connection(data)])

    @rule()
    def rotate_key(self) -> None:
        """New values are sealed with a new key, old ones still open."""
        self.keys.insert(0, new_key())
        self.use_keys()

    # --- Processes

    @rule(seconds=st.sampled_from([1, 20, 62, 85]))
    def tick(self, seconds: int) -> None:
        """Time passes, and whatever is due by then is claimed."""
        self.world.pass_time(seconds)
        self.claim()

    @rule()
    def claim(self) -> None:
        """A scheduler leases what is due, and hands it over."""
        sql = "select connection_id as id from refresh_schedule where state = 0 and due_at <= %s"
        due = {row.id for row in self.look(sql, self.world.services.database.simulated_now)}
        before = len(self.queue)
        # As every few seconds: what another process gave back lies below the watermark.
        self.world.services.claim_window.reopen()
        dispatch.dispatch_due(
            self.world.services, lambda groups: self.queue.extend(list(g) for g in groups)
        )
        claimed = [claim for group in self.queue[before:] for claim in group]
        assert {claim.connection_id for claim in claimed} == due
        for claim in claimed:
            row = self.model[claim.connection_id]
            row.state, row.lease, row.begun = "leased", row.lease + 1, False
            row.holder = self.world.services.holder_id
            row.lease_until = self.now + self.world.services.settings.lease_seconds

    @precondition(lambda self: self.queue)
    @rule(data=st.data(), again=st.booleans(), lost=st.booleans())
    def deliver(self, data: st.DataObject, again: bool, lost: bool) -> None:
        """A message reaches a worker; it may come again later, and the reply may get lost."""
        self.refresh(self.workers[0], self.any_message(data, keep=again), lost=lost)

    @precondition(lambda self: self.queue)
    @rule(data=st.data(), at=st.sampled_from(DEATHS))
    def die(self, data: st.DataObject, at: Point) -> None:
        """A worker is killed at one step of a delivery; another one starts in its place."""
        self.refresh(self.workers[0], self.any_message(data, keep=False), dies_at=at)
        self.bury(0)

    @precondition(lambda self: self.queue)
    @rule(data=st.data(), seconds=st.sampled_from([5, 62]))
    def freeze(self, data: st.DataObject, seconds: int) -> None:
        """A worker freezes with its requests sent, the others go on, and it wakes up late."""

        def meanwhile() -> None:
            self.world.pass_time(seconds)
            self.sweep()
            self.claim()
            for message in self.queue:
                self.refresh(self.workers[1], message)
            self.queue.clear()

        self.refresh(self.workers[0], self.any_message(data, keep=False), meanwhile=meanwhile)

    @precondition(lambda self: self.queue)
    @rule(data=st.data(), at=st.sampled_from([None, "begun", "replied"]))
    def race(self, data: st.DataObject, at: Point | None) -> None:
        """Two workers get the same message; one overtakes the other, and may die with it.

        Unless the other one's reload has begun it: then who comes second does nothing.
        """
        message = self.any_message(data, keep=False)

        def overtake() -> None:
            checkpoints.install(None)
            self.refresh(self.workers[1], message, dies_at=at)
            if at is not None:
                self.bury(1)

        if self.begins_at_once(message):
            self.refresh(self.workers[0], message, overtaken=overtake)
        else:
            self.run(self.workers[0], message, "reloaded", overtake)

    @precondition(lambda self: self.queue)
    @rule(data=st.data())
    def drop(self, data: st.DataObject) -> None:
        """A message is lost, and nobody notices."""
        self.any_message(data, keep=False)

    @rule()
    def flush(self) -> None:
        """Redis is emptied, which is noticed."""
        self.queue.clear()
        with self.world.services.database.transaction() as db:
            release_unbegun(db)
        for row in self.model.values():
            if row.state == "leased" and not row.begun:
                row.end_lease("idle")

    @rule()
    def sweep(self) -> None:
        """Stalled rows are made due again."""
        alive = {self.world.services.holder_id, *(w.holder_id for w in self.workers)}
        limit = self.world.services.settings.attempt_timeout_seconds
        with self.world.services.database.transaction() as db:
            sweep(
                db,
                dead=self.dead,
                alive=alive,
                attempt_timeout_seconds=limit,
                crash_limit=CRASH_LIMIT,
            )
        for row in self.model.values():
            row.sweep(self.now, self.dead, alive, limit)

    def bury(self, n: int) -> None:
        """Has a worker be dead, and another one in its place."""
        self.dead.add(self.workers[n].holder_id)
        self.workers[n] = replace(self.workers[n], holder_id=uuid7())

    # --- What must hold after every step

    @invariant()
    def the_store_is_as_the_model_says(self) -> None:
        """States, leases, starts, versions, statuses and stored tokens."""
        opened = self.world.services.cipher.open
        for is_ in self.look(_STORED):
            row = self.model[is_.id]
            seen = (
                *(STATES[is_.state], is_.lease_token, is_.begun, is_.starts, is_.unknown_outcomes),
                *(is_.parked_reason, is_.active, is_.credential_version),
                opened(is_.refresh_token, is_.id, "refresh_token").reveal(),
            )
            assert seen == (
                *(row.state, row.lease, row.begun, row.starts, row.unknown),
                *(row.reason, row.active, row.version),
                row.stored,
            )

    @invariant()
    def no_pair_is_lost_in_silence(self) -> None:
        """Whoever is at rest stores the newest token of a living grant, or is told to be dead."""
        for id_, row in self.model.items():
            newest = self.provider.newest(self.names[id_])
            at_rest = not row.begun and not row.unknown and row.active
            if at_rest and newest is not None and not self.excused[self.names[id_]]:
                assert row.stored == newest

    @invariant()
    def no_token_is_spent_twice_without_need(self) -> None:
        """A spent token is presented only after an interruption, once for each."""
        spent = self.provider.spent_presented
        assert all(spent[name] <= self.excused[name] for name in spent)

    def teardown(self) -> None:
        """Ends a schedule: what a user's own check would say of all that happened."""
        assert check_history(self.world.services.database, crash_limit=CRASH_LIMIT) == []


@pytest.fixture
def machine(module_database_url: str) -> Iterator[type[Schedules]]:
    """The machine on one database, which each schedule empties."""
    Schedules.open(module_database_url)
    yield Schedules
    Schedules.close()


@pytest.mark.timeout(400)
@pytest.mark.parametrize(
    "part", [0, *(pytest.param(part, marks=pytest.mark.slow) for part in range(1, PARTS))]
)
def test_no_schedule_loses_or_spends_a_token_that_the_model_keeps(machine: Any, part: int) -> None:
    """Hundreds of schedules: the store does what the model says, and nothing is lost in silence."""
    run_state_machine_as_test(
        seed(part)(machine),
        settings=settings(
            max_examples=SCHEDULES // PARTS,
            stateful_step_count=20,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
