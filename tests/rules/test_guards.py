"""Whether a connection may be refreshed: each reason for a skip, and their order."""

from dataclasses import replace
from typing import Any

import pytest

from refresher.rules.connection import ParkReason, Status
from refresher.rules.guards import GuardVerdict, Proceed, Skip, check
from refresher.rules.providers import ClientAuth, Provider, Strategy
from tests.rules.samples import connection, provider

ACME = provider()
LONG_LIVED = provider(strategy=Strategy.LONG_LIVED_EXCHANGE, client_auth=ClientAuth.NONE)
MINTED = provider(strategy=Strategy.CLIENT_CREDENTIALS)
PUBLIC = provider(client_auth=ClientAuth.NONE)


def verdict(
    of: Provider | None = ACME, *, stop: bool = False, expired: bool = False, **stored: Any
) -> GuardVerdict:
    """Returns the verdict on a connection that is healthy, except for `stored`."""
    return check(connection(**stored), of, stop_when_expired=stop, expired=expired)


@pytest.mark.parametrize("of", [ACME, LONG_LIVED, MINTED, PUBLIC])
def test_a_healthy_connection_proceeds(of: Provider) -> None:
    """Nothing stands in the way of a connection that is active and has its means."""
    assert verdict(of) == Proceed()


@pytest.mark.parametrize(
    ("stored", "reason"),
    [
        ({"deleted": True}, ParkReason.DELETED),
        ({"disabled": True}, ParkReason.DISABLED),
        ({"paused": True}, ParkReason.PAUSED),
        ({"in_between_steps": True}, ParkReason.MID_OAUTH),
        ({"status": Status.RECONNECT_REQUIRED}, ParkReason.RECONNECT_REQUIRED),
        ({"app": None}, ParkReason.APP_NOT_CONFIGURED),
        ({"refresh_token": None}, ParkReason.NOTHING_TO_REFRESH_WITH),
        ({"expires_at": None}, ParkReason.NO_EXPIRY),
    ],
)
def test_each_obstacle_parks_with_its_reason(stored: dict[str, Any], reason: ParkReason) -> None:
    """A skip names what stands in the way, whatever the token's age."""
    assert verdict(**stored) == Skip(reason)
    assert verdict(expired=True, stop=True, **stored) == Skip(reason)


def test_a_connection_that_is_gone_is_missing() -> None:
    """There is a reason for a row without its connection too."""
    assert check(None, ACME, stop_when_expired=False, expired=False) == Skip(ParkReason.MISSING)


def test_a_provider_that_is_gone_parks_its_connections() -> None:
    """A catalogue that lost an entry breaks no connection: the rows wait for the entry."""
    assert verdict(None) == Skip(ParkReason.UNKNOWN_PROVIDER)
    assert verdict(None, expired=True, stop=True) == Skip(ParkReason.UNKNOWN_PROVIDER)


def test_the_gravest_reason_is_told() -> None:
    """What the connection is comes before what it lacks; deleted comes before all."""
    everything: dict[str, Any] = {
        "deleted": True,
        "disabled": True,
        "paused": True,
        "in_between_steps": True,
        "status": Status.RECONNECT_REQUIRED,
    }
    for field, reason in [
        ("deleted", ParkReason.DELETED),
        ("disabled", ParkReason.DISABLED),
        ("paused", ParkReason.PAUSED),
        ("in_between_steps", ParkReason.MID_OAUTH),
        ("status", ParkReason.RECONNECT_REQUIRED),
    ]:
        assert verdict(None, **everything) == Skip(reason)
        del everything[field]
    assert verdict(None) == Skip(ParkReason.UNKNOWN_PROVIDER)


@pytest.mark.parametrize(
    ("of", "stored"),
    [
        (LONG_LIVED, {"refresh_token": None, "app": None}),
        (MINTED, {"refresh_token": None, "access_token": None}),
        (ACME, {"access_token": None}),
        (provider(client_auth=ClientAuth.BASIC), {"access_token": None}),
    ],
)
def test_a_strategy_asks_only_for_what_it_sends(of: Provider, stored: dict[str, Any]) -> None:
    """A missing token or app that the request would not carry does not matter."""
    assert verdict(of, **stored) == Proceed()


@pytest.mark.parametrize(
    ("of", "stored", "reason"),
    [
        (LONG_LIVED, {"access_token": None}, ParkReason.NOTHING_TO_REFRESH_WITH),
        (MINTED, {"app": None}, ParkReason.APP_NOT_CONFIGURED),
        (PUBLIC, {"app": None}, ParkReason.APP_NOT_CONFIGURED),
        (MINTED, {"expires_at": None}, ParkReason.NO_EXPIRY),
    ],
)
def test_a_strategy_s_own_means_are_asked_for(
    of: Provider, stored: dict[str, Any], reason: ParkReason
) -> None:
    """A long-lived exchange needs its access token, everything else an app."""
    assert verdict(of, **stored) == Skip(reason)


@pytest.mark.parametrize("of", [ACME, PUBLIC, MINTED])
def test_an_expired_token_is_still_refreshed(of: Provider) -> None:
    """M6: there is no "too late" for a connection that has something to refresh with."""
    assert verdict(of, expired=True) == Proceed()


@pytest.mark.parametrize("of", [ACME, PUBLIC, MINTED])
def test_a_setting_parks_expired_tokens(of: Provider) -> None:
    """M6: `expired_tokens = "stop"` is the stricter way; a token that lives is not concerned."""
    assert verdict(of, expired=True, stop=True) == Skip(ParkReason.RECONNECT_REQUIRED)
    assert verdict(of, expired=False, stop=True) == Proceed()


@pytest.mark.parametrize("stop", [True, False])
def test_an_expired_token_that_is_its_own_grant_is_over(stop: bool) -> None:
    """M6: nothing can save a long-lived token after its end, so a person is asked to reconnect."""
    assert verdict(LONG_LIVED, expired=True, stop=stop) == Skip(ParkReason.RECONNECT_REQUIRED)


def test_an_entry_waits_for_its_issuers_metadata() -> None:
    """Where its endpoints are not known yet, it is as good as none."""
    waiting = replace(ACME, token_url="", issuer="https://acme.example")
    assert verdict(waiting) == Skip(ParkReason.UNKNOWN_PROVIDER)
    assert verdict(replace(waiting, token_url="https://acme.example/token")) == Proceed()
