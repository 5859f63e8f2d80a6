"""`connections refresh`: the claim is the one door, also for a person who is in a hurry."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from uuid import UUID

import pytest

from refresher.devkit.oauth_server import FakeProvider
from refresher.refresh.recovery import release_own
from refresher.refresh.single_flight import claim_now
from refresher.refresh.steps import refresh
from refresher.runtime.services import Services, build
from refresher.settings import load
from refresher.store import serving
from tests.cli.kit import Cli
from tests.cli.observing.test_inspect import run_sql
from tests.refresh.pausing import hold
from tests.waiting import wait_until


@pytest.fixture
def services(cli: Cli, monkeypatch: pytest.MonkeyPatch):
    """Another process's services, on the same database."""
    for name, value in cli.env.items():
        monkeypatch.setenv(name, value)
    opened = build(load())
    yield opened
    opened.close()


@contextmanager
def once_it_waits(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> Iterator[None]:
    """Lets the other process act as soon as a command has seen that the row is leased."""
    seen = threading.Event()
    look = serving.leases

    def looked(*arguments):
        found = look(*arguments)
        if found:
            seen.set()
        return found

    def wait_and_act() -> None:
        assert seen.wait(30)
        act()

    monkeypatch.setattr(serving, "leases", looked)
    other = threading.Thread(target=wait_and_act)
    other.start()
    yield
    other.join()


def test_a_refresh_now_stores_a_fresh_token(cli: Cli, granted: str, provider: FakeProvider):
    """The row is claimed before it is due, refreshed here, and due again in time."""
    before = cli("token", granted).stdout
    ran = cli("connections", "refresh", granted, "--json")
    assert (ran.code, ran.json["outcome"], ran.json["by_us"]) == (0, "refreshed", True)
    assert cli("token", granted).stdout != before
    shown = cli.show(granted)
    assert (shown["state"], shown["credential_version"]) == ("idle", 2)
    assert provider.admin.summary().requests == 1
    assert "refreshed; the token ends at" in cli("connections", "refresh", granted).stdout


def test_a_token_with_too_little_life_is_refreshed_first(
    cli: Cli, granted: str, provider: FakeProvider
):
    """`token --min-ttl` prints what is stored while it lives long enough, else a fresh one, once."""
    stored = cli("token", granted).stdout
    assert cli("token", granted, "--min-ttl", 60).stdout == stored
    assert provider.admin.summary().requests == 0
    run_sql(cli, "update connection set expires_at = refresher_now() + interval '30 seconds'")

    ran = cli("token", granted, "--min-ttl", 60)

    assert (ran.code, ran.stderr, ran.stdout.count("\n")) == (0, "", 1)
    assert ran.stdout != stored
    assert cli("token", granted).stdout == ran.stdout
    assert cli("token", granted, "--min-ttl", 60, "--json").json["access_token"] in ran.stdout
    assert provider.admin.summary().requests == 1


def test_a_token_that_cannot_be_refreshed_is_told(cli: Cli, granted: str, provider: FakeProvider):
    """While it is valid the stored one is printed and stderr says why; an expired one never is."""
    provider.admin.add_fault("status_503", count=9)
    run_sql(cli, "update connection set expires_at = refresher_now() + interval '30 seconds'")
    stored = cli("token", granted).stdout
    ran = cli.process("token", granted, "--min-ttl", 60)
    assert (ran.code, ran.stdout) == (0, stored)
    assert "less life left than 60 s" in ran.stderr
    assert "refresh_failed" in ran.stderr
    run_sql(cli, "update connection set expires_at = refresher_now() - interval '1 second'")
    ran = cli.process("token", granted, "--min-ttl", 60)
    ran.refused("the last refresh failed", code=1)
    assert ran.stdout == ""
    cli("token", granted, "--min-ttl", 60, "--even-expired").refused("exclude each other")


def test_a_sibling_is_refreshed_at_its_root(cli: Cli, granted: str):
    """Refreshing a connection that shares a grant refreshes that grant."""
    bare = {"access_token": None, "refresh_token": None, "expires_in": None}
    cli.connect("page", root_external_id=granted, **bare)
    ran = cli("connections", "refresh", "page", "--json")
    assert (ran.code, ran.json["id"]) == (0, cli.show(granted)["id"])
    assert "shares the grant" in ran.stderr


def test_a_dead_grant_is_told(cli: Cli, granted: str, provider: FakeProvider):
    """When the provider ended the grant, the exit code is 1 and the sentence says what to do."""
    provider.admin.revoke(granted)
    ran = cli.process("connections", "refresh", granted)
    assert ran.code == 1
    told = "revoked (invalid_grant: consent withdrawn); parked: the provider ended the grant"
    assert told in ran.stdout
    parked = cli.process("connections", "refresh", granted)
    parked.refused("is parked (reconnect_required)", code=1)


def test_trouble_that_passes_is_told(cli: Cli, granted: str, provider: FakeProvider):
    """A provider's fault leaves exit code 1, the reason, and the time of the next attempt."""
    provider.admin.add_fault("status_500", count=1)
    ran = cli.process("connections", "refresh", granted, "--json")
    assert (ran.code, ran.json["outcome"], ran.json["http_status"]) == (1, "transient", 500)
    assert ran.json["next_due_at"]


def test_a_paused_app_is_told(cli: Cli, granted: str, services: Services):
    """While the app is left alone, the next refresh is not even sent, and this is told."""
    with services.database.transaction() as db:
        hold(db, "app", "acme/default", sort="refused", reason="invalid_client")
    ran = cli.process("connections", "refresh", granted)
    assert ran.code == 1
    assert "postponed (app:acme/default is paused)" in ran.stdout


def test_a_refused_connection_is_told_and_tried_again(
    cli: Cli, granted: str, provider: FakeProvider
):
    """One refusal is this connection's alone: a second refresh by hand is sent."""
    provider.admin.set_client_secret("another")
    for _ in range(2):
        ran = cli.process("connections", "refresh", granted, "--json")
        assert (ran.code, ran.json["outcome"]) == (1, "misconfigured")
    assert provider.admin.summary().refused["invalid_client"] == 2


def test_a_parked_connection_is_not_refreshed(cli: Cli, granted: str, provider: FakeProvider):
    """A paused connection is refused with what ends the pause; nothing is sent."""
    cli("connections", "pause", granted)
    cli("connections", "refresh", granted).refused("is parked (paused)", "resume", code=1)
    assert provider.admin.summary().requests == 0


def test_who_finds_it_leased_waits_for_that_outcome(
    cli: Cli,
    granted: str,
    provider: FakeProvider,
    services: Services,
    monkeypatch: pytest.MonkeyPatch,
):
    """M15: while another process refreshes, nothing is sent twice; its outcome is told."""
    # Given another process that holds the claim
    root = UUID(cli.show(granted)["id"])
    claim = claim_now(services, root)
    assert claim is not None
    # When we want a refresh, and the other one ends its own while we wait
    with once_it_waits(monkeypatch, lambda: refresh(services, [claim])):
        ran = cli("connections", "refresh", granted, "--json")
    # Then there was one request, and its outcome is ours
    assert (ran.code, ran.json["outcome"], ran.json["by_us"]) == (0, "refreshed", False)
    assert provider.admin.summary().requests == 1


def test_waiting_has_an_end(cli: Cli, granted: str, services: Services):
    """After --timeout seconds of another's lease the command gives up, in a sentence."""
    assert claim_now(services, UUID(cli.show(granted)["id"])) is not None
    ran = cli("connections", "refresh", granted, "--timeout", "0.2")
    ran.refused("still being refreshed by another process", code=1)


def test_a_lease_that_ends_without_outcome_is_taken_over(
    cli: Cli,
    granted: str,
    provider: FakeProvider,
    services: Services,
    monkeypatch: pytest.MonkeyPatch,
):
    """When the other process gives its claim back, we claim and refresh."""
    assert claim_now(services, UUID(cli.show(granted)["id"])) is not None
    with once_it_waits(monkeypatch, lambda: release_own(services)):
        ran = cli("connections", "refresh", granted, "--json")
    assert (ran.code, ran.json["outcome"], ran.json["by_us"]) == (0, "refreshed", True)
    assert provider.admin.summary().requests == 1


@pytest.mark.slow
def test_an_interrupt_waits_for_the_refresh(cli: Cli, granted: str, provider: FakeProvider):
    """Ctrl-C between request and commit loses no rotated token: the refresh ends first."""
    # Given a provider that takes its time
    provider.admin.change_options(latency_seconds=2.0)
    with cli.running("connections", "refresh", granted) as process:
        wait_until(lambda: provider.admin.summary().requests_in_flight, 30)
        # When the command is interrupted while the request is under way
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=55)
    # Then the new pair is stored before the process goes
    assert process.returncode == 130, stderr
    assert b"again to stop at once" in stderr
    assert cli.show(granted)["credential_version"] == 2
    assert provider.admin.summary().requests == 1
