"""The stepper: one refresh in single steps, and what is stored between them."""

import pytest

from refresher.refresh.attempt import Attempt
from refresher.refresh.steps import refresh
from refresher.rules.outcomes import Refreshed, Transient
from refresher.store import state_changes
from refresher.store.settlement import Settlement
from refresher.testing import Sandbox, Stepper
from refresher.testing.sandbox import PROVIDER
from refresher.testing.stepper import StoryEnded
from tests.refresh.pausing import hold


def test_each_step_is_seen_before_the_next_is_done(refresher_sandbox: Sandbox) -> None:
    """Leased at the claim, begun by the reload, written at the commit, and not earlier."""
    id_ = refresher_sandbox.connect(expires_in=0)
    provider = refresher_sandbox.provider
    assert provider is not None
    with refresher_sandbox.step(id_) as step:
        # Claim
        claim = step.claim()
        assert (step.state.state, step.state.lease_token) == ("leased", claim.lease_token)
        # Reload, which begins what nothing speaks against, and guard
        row = step.reload()
        assert row is not None
        assert (row.connection.id, row.marked, step.state.begun) == (id_, True, True)
        assert isinstance(step.guard(), Attempt)
        # Begin: the request may leave, and has not
        assert step.begin()
        assert provider.admin.summary().requests == 0
        # Exchange, classify, decide: nothing is written
        assert step.exchange().status == 200
        assert isinstance(step.classify(), Refreshed)
        assert step.decide().event == "refreshed"
        assert (step.state.begun, step.state.credential_version) == (True, 1)
        # Commit
        assert step.commit().written == {id_}
        assert (step.state.state, step.state.credential_version) == ("idle", 2)
        assert step.finish() == {"stale": 0, "refreshed": 1}
    assert refresher_sandbox.recorder.kinds() == ["imported", "refreshed"]


def test_in_trouble_each_step_is_a_commit_of_its_own(refresher_sandbox: Sandbox) -> None:
    """Where something is told of its provider, a row is begun after the guard, and not before."""
    id_ = refresher_sandbox.connect(expires_in=0)
    with refresher_sandbox.services.database.transaction() as db:
        hold(db, "provider", f"{PROVIDER}@elsewhere", sort="limited")
    with refresher_sandbox.step(id_) as step:
        row = step.reload()
        assert row is not None
        assert (row.marked, row.in_trouble, step.state.begun) == (False, True, False)
        assert isinstance(step.guard(), Attempt)
        assert (step.state.begun, step.begin(), step.state.begun) == (False, True, True)
        assert step.commit().written == {id_}


def test_a_step_may_be_asked_for_at_once(refresher_sandbox: Sandbox) -> None:
    """Going to a step passes through those before it, and leaving the block finishes the refresh."""
    id_ = refresher_sandbox.connect(expires_in=0)
    assert refresher_sandbox.provider is not None
    refresher_sandbox.provider.admin.add_fault("status_503", count=1)
    with refresher_sandbox.step(id_) as step:
        assert isinstance(step.classify(), Transient)
        assert step.state.attempt == 0
    assert refresher_sandbox.state(id_).attempt == 1


def test_a_row_that_the_guard_sets_aside_has_no_request(refresher_sandbox: Sandbox) -> None:
    """What is parked goes from the guard to the commit; asking for a request says so."""
    id_ = refresher_sandbox.connect(expires_in=0)
    with refresher_sandbox.step(id_) as step:
        step.claim()
        with refresher_sandbox.services.database.transaction() as db:
            state_changes.stop(db, id_, "paused")
        aside = step.guard()
        assert isinstance(aside, Settlement)
        assert aside.park_reason == "paused"
        with pytest.raises(StoryEnded, match="no 'begun' comes after 'guarded'"):
            step.begin()
    assert refresher_sandbox.state(id_).parked_reason == "paused"


def test_a_death_leaves_what_a_killed_process_leaves(refresher_sandbox: Sandbox) -> None:
    """Died with the reply in hand: the row stays begun, and the sweep has it refreshed again."""
    assert refresher_sandbox.provider is not None
    refresher_sandbox.provider.admin.change_options(grace_seconds=600)
    id_ = refresher_sandbox.connect(expires_in=0)
    with refresher_sandbox.step(id_) as step:
        step.exchange()
        step.die()
        assert step.state.begun
    refresher_sandbox.clock.advance(700)
    refresher_sandbox.provider.admin.advance_clock(-700)  # its grace still runs
    assert refresher_sandbox.sweep().total == 1
    assert refresher_sandbox.tick()["refreshed"] == 1
    refresher_sandbox.recorder.assert_order("swept", "refreshed", connection_id=id_)


def test_a_failing_assertion_ends_the_story_where_it_is(refresher_sandbox: Sandbox) -> None:
    """An error in the block is the test's own; no thread is left, and nothing more is written."""
    id_ = refresher_sandbox.connect(expires_in=0)
    with pytest.raises(ZeroDivisionError), refresher_sandbox.step(id_) as step:
        _ = step.begin() / 0
    assert refresher_sandbox.state(id_).begun
    assert refresher_sandbox.provider is not None
    assert refresher_sandbox.provider.admin.summary().requests == 0


def test_a_wrong_use_is_told(refresher_sandbox: Sandbox) -> None:
    """A step backwards, a leased row, a claim that is no longer held, a stepper without its block."""
    id_ = refresher_sandbox.connect(expires_in=0)
    with pytest.raises(RuntimeError, match="with Stepper"):
        Stepper(refresher_sandbox.services, id_).begin()
    with refresher_sandbox.step(id_) as step:
        step.begin()
        with pytest.raises(StoryEnded, match="'reloaded' is over: the story is at 'begun'"):
            step.reload()
    with refresher_sandbox.step(id_) as first, refresher_sandbox.step(id_) as second:
        claim = first.claim()
        with pytest.raises(StoryEnded, match="cannot be claimed: it is leased"):
            second.claim()
        refresh(refresher_sandbox.services, [claim])
        assert first.reload() is None
        with pytest.raises(StoryEnded, match="no longer held"):
            first.guard()


def test_a_bug_in_the_story_is_the_tests_failure(
    refresher_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the story raises on its own thread is raised where the test waits for it."""
    id_ = refresher_sandbox.connect(expires_in=0)
    monkeypatch.setattr("refresher.refresh.steps.marking.start", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError), refresher_sandbox.step(id_) as step:
        step.commit()
