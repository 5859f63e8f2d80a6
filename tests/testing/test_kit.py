"""The rest of the test kit: sandbox, clock, recorder, trace; and what it costs who does not use it."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from uuid import UUID

import dramatiq
import pytest
from dramatiq.brokers.stub import StubBroker

from refresher.devkit.oauth_server import FakeProvider, HeldTokens
from refresher.refresh import dispatch
from refresher.testing import EventRecorder, FrozenClock, Sandbox, run_with_trace


def test_an_account_is_connected_refreshed_and_seen(refresher_sandbox: Sandbox) -> None:
    """A consent, an hour, a tick: the stored pair is the newest that the provider gave."""
    id_ = refresher_sandbox.connect("ann")
    first = refresher_sandbox.tokens(id_)
    assert refresher_sandbox.tick().total() == 0
    refresher_sandbox.clock.advance(3000)
    assert refresher_sandbox.tick()["refreshed"] == 1
    second = refresher_sandbox.tokens(id_)
    assert first[0] != second[0]
    assert refresher_sandbox.state(id_).credential_version == 2


def test_a_person_connects(refresher_sandbox: Sandbox, refresher_provider: FakeProvider) -> None:
    """A visitor goes through the real pages and the provider's, and what came of it is kept fresh."""
    refresher_provider.admin.change_options(consent="page")
    url = refresher_sandbox.connect_url("calendar", scopes=("read",), for_whom="Ann")
    with refresher_sandbox.visitor("ann") as browser:
        assert "Ann" in browser.open(url).words
        assert browser.submit().title == "Allow access?"
        assert browser.submit("Allow").title == "fake is connected"
        assert all(name.startswith("__Host-rfc-") for name in browser.jar.names("connect.test"))
    refresher_sandbox.clock.advance(3000)
    assert refresher_sandbox.tick()["refreshed"] == 1


def test_what_cannot_be_taken_is_told(refresher_sandbox: Sandbox) -> None:
    """A refused connection, an unknown one, and a sandbox without a provider are one sentence each."""
    with pytest.raises(LookupError, match="no connection"):
        refresher_sandbox.state(UUID(int=1))
    with pytest.raises(RuntimeError, match="no provider"):
        Sandbox(refresher_sandbox.services).connect()


def test_the_clock_goes_forwards_for_both_sides(
    refresher_sandbox: Sandbox, refresher_clock: FrozenClock
) -> None:
    """An hour later the token is dead at the provider and due here; naive and negative are refused."""
    id_ = refresher_sandbox.connect("ann")
    held = HeldTokens("ann", *refresher_sandbox.tokens(id_))
    began = refresher_clock.now
    refresher_clock.advance(7200)
    assert refresher_clock.now - began == timedelta(hours=2)
    provider = refresher_sandbox.provider
    assert provider is not None
    assert [check.access_active for check in provider.admin.check([held])] == [False]
    with pytest.raises(ValueError, match="forwards"):
        refresher_clock.advance(-1)
    with pytest.raises(ValueError, match="aware"):
        refresher_clock.set(datetime(2030, 1, 1))  # noqa: DTZ001  the mistake itself
    refresher_clock.set(datetime(2031, 1, 1, tzinfo=UTC))
    assert refresher_sandbox.tick()["refreshed"] == 1


def test_events_are_found_filtered_and_in_order(
    refresher_sandbox: Sandbox, refresher_events: EventRecorder
) -> None:
    """Find wants exactly one, filter takes all, and an order may have others in between."""
    ann, bob = refresher_sandbox.connect("ann", expires_in=0), refresher_sandbox.connect("bob")
    assert refresher_sandbox.provider is not None
    refresher_sandbox.provider.admin.add_fault("status_503", count=1)
    refresher_sandbox.tick()
    refresher_sandbox.clock.advance(300)
    refresher_sandbox.tick()
    assert refresher_events.find(kind="transient").connection_id == ann
    assert refresher_events.find(kind="transient").event.http_status == 503
    assert refresher_events.kinds(connection_id=bob) == ["imported"]
    assert len(refresher_events.filter(kind="imported")) == 2
    refresher_events.assert_order("imported", "transient", "refreshed", connection_id=ann)
    refresher_events.assert_none(kind="parked")


def test_a_wrong_expectation_tells_what_happened(
    refresher_sandbox: Sandbox, refresher_events: EventRecorder
) -> None:
    """Each failure has the story in its message."""
    refresher_sandbox.connect("ann", expires_in=0)
    refresher_sandbox.tick()
    with pytest.raises(
        AssertionError, match="no 'imported' after 'refreshed': imported → refreshed"
    ):
        refresher_events.assert_order("refreshed", "imported")
    with pytest.raises(AssertionError, match="0 events match kind='parked': imported → refreshed"):
        refresher_events.find(kind="parked")
    with pytest.raises(AssertionError, match="1 events match kind='refreshed'"):
        refresher_events.assert_none(kind="refreshed")
    with pytest.raises(AttributeError):
        refresher_events.filter(knid="refreshed")
    refresher_events.forget()
    with pytest.raises(AssertionError, match="no 'refreshed': nothing happened"):
        refresher_events.assert_order("refreshed")


def test_the_trace_is_told_only_on_failure(
    refresher_sandbox: Sandbox, capsys: pytest.CaptureFixture[str]
) -> None:
    """A good run is silent; a bad one tells points, reply, decision, log and events, and no token."""
    id_ = refresher_sandbox.connect("ann", expires_in=0)
    assert run_with_trace(refresher_sandbox, refresher_sandbox.tick)["refreshed"] == 1
    assert capsys.readouterr().err == ""
    assert refresher_sandbox.provider is not None
    refresher_sandbox.provider.admin.add_fault("status_503", count=1)
    refresher_sandbox.clock.advance(3600)

    def expects_too_much() -> None:
        assert refresher_sandbox.tick()["refreshed"] == 1

    with pytest.raises(AssertionError):
        run_with_trace(refresher_sandbox, expects_too_much)
    told = capsys.readouterr().err
    for part in (
        "begun",
        "fake: 503",
        "transient, due in",
        f"{id_} transient",
        "'event': 'transient'",
    ):
        assert part in told, told
    assert not any(token in told for token in refresher_sandbox.tokens(id_) if token)


def test_the_actors_run_on_the_stub_broker(
    refresher_sandbox: Sandbox, refresher_broker: StubBroker, refresher_worker: dramatiq.Worker
) -> None:
    """Claim, message, actor, fresh token: through Dramatiq's own worker, in this process."""
    from refresher import actors  # noqa: PLC0415  not before the broker is chosen
    from refresher.runtime import broker  # noqa: PLC0415  not before the broker is chosen

    id_ = refresher_sandbox.connect(expires_in=0)
    dispatch.dispatch_due(
        refresher_sandbox.services, lambda groups: broker.send(actors.refresh_connections, groups)
    )
    refresher_broker.join(actors.refresh_connections.queue_name)
    refresher_worker.join()
    assert refresher_sandbox.recorder.kinds(connection_id=id_) == ["imported", "refreshed"]


def test_the_kit_loads_nothing_before_it_is_asked() -> None:
    """Importing the plugin, as every pytest run does, imports no library but pytest."""
    code = (
        "import sys, pytest; before = set(sys.modules)\n"
        "import refresher.testing.plugin\n"
        "print(sorted({m.split('.')[0] for m in set(sys.modules) - before}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['refresher']"


def test_the_kit_names_what_it_has() -> None:
    """Every name of `__all__` is there, and another is an AttributeError."""
    from refresher import testing  # noqa: PLC0415

    assert all(getattr(testing, name) for name in testing.__all__)
    with pytest.raises(AttributeError, match="no attribute 'Setpper'"):
        _ = testing.Setpper
