"""What a test can arrange and ask for through the admin routes, by the shipped client."""

from collections.abc import Iterator
from hashlib import sha256

import httpx
import pytest

from refresher.devkit.oauth_server import (
    FakeProvider,
    FakeProviderRefused,
    HeldTokens,
    IssuedGrant,
    Options,
)
from tests import loopback

CLIENT = ("fake-client", "fake-secret")


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    """A provider of this test's own, on a free port."""
    with FakeProvider(Options(lifetime_seconds=60)) as provider:
        yield provider


def refresh(
    provider: FakeProvider, token: str | None, auth: tuple[str, str] = CLIENT
) -> httpx.Response:
    """Asks for a refresh in the ordinary way."""
    fields = {"grant_type": "refresh_token", "refresh_token": token}
    return loopback.post(f"{provider.url}/token", data=fields, auth=auth)


def held(grant: IssuedGrant) -> HeldTokens:
    """Returns what a system that just stored this grant holds."""
    return HeldTokens(grant.external_id, grant.access_token, grant.refresh_token)


def test_grants_get_names_of_their_own(provider: FakeProvider) -> None:
    """Two orders of one prefix go on numbering; every account has its own working tokens."""
    first = provider.admin.create_grants(2, prefix="shop-")
    second = provider.admin.create_grants(1, prefix="shop-")
    names = [grant.external_id for grant in first + second]
    assert names == ["shop-0", "shop-1", "shop-2"]
    assert all(check.refresh_usable for check in provider.admin.check(map(held, first + second)))


def test_first_tokens_end_spread_out(provider: FakeProvider) -> None:
    """expires_spread_seconds spreads what is left of the first tokens, the same way each run."""

    def remaining(seed: int) -> list[float]:
        with FakeProvider() as other:
            order = {"expires_spread_seconds": [10, 20], "seed": seed}
            return [grant.expires_in for grant in other.admin.create_grants(50, **order)]

    spread = remaining(1)
    assert 10 <= min(spread) < 12
    assert 18 < max(spread) <= 20
    assert spread == remaining(1) != remaining(2)


def test_a_grant_can_have_its_own_lifetime(provider: FakeProvider) -> None:
    """lifetime_seconds of an order holds for the first token and for every later one."""
    [grant] = provider.admin.create_grants(1, lifetime_seconds=7)
    assert grant.expires_in == 7
    assert refresh(provider, grant.refresh_token).json()["expires_in"] == 7


def test_a_grant_can_do_without_a_refresh_token(provider: FakeProvider) -> None:
    """with_refresh_token=false gives accounts whose access token is its own grant."""
    [grant] = provider.admin.create_grants(1, with_refresh_token=False)
    assert grant.refresh_token is None
    assert next(provider.admin.check([held(grant)])).refresh_usable
    provider.admin.advance_clock(61)
    assert not next(provider.admin.check([held(grant)])).refresh_usable


@pytest.mark.parametrize(
    ("order", "named"),
    [
        ({"lifetime_seconds": 0}, "lifetime_seconds"),
        ({"expires_spread_seconds": [20, 10]}, "expires_spread_seconds"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_an_impossible_order_is_refused(
    provider: FakeProvider, order: dict[str, object], named: str
) -> None:
    """An order that cannot be filled is refused by the name of its field, and makes no grant."""
    with pytest.raises(FakeProviderRefused, match=named):
        provider.admin.create_grants(1, **order)
    assert provider.admin.summary().grants == 0


@pytest.mark.slow
def test_many_grants_come_in_one_call(provider: FakeProvider) -> None:
    """A hundred thousand grants are made in one call, and one more is refused."""
    grants = provider.admin.create_grants(100_000)
    assert len({grant.external_id for grant in grants}) == 100_000
    with pytest.raises(FakeProviderRefused, match="count"):
        provider.admin.create_grants(100_001)


def test_a_withdrawn_consent_ends_the_grant_until_the_next(provider: FakeProvider) -> None:
    """After the user withdrew, a refresh is invalid_grant; a new consent works again."""
    [grant] = provider.admin.create_grants(1)
    assert provider.admin.revoke("acct-0")
    assert not provider.admin.revoke("acct-0")
    assert not provider.admin.revoke("nobody")
    assert refresh(provider, grant.refresh_token).json()["error"] == "invalid_grant"
    [again] = provider.admin.grant_again(["acct-0"])
    assert refresh(provider, again.refresh_token).status_code == 200
    assert provider.admin.summary().consents_withdrawn == 1


def test_the_client_secret_changes_while_running(provider: FakeProvider) -> None:
    """After a change of the secret the old one is invalid_client, and the new one works."""
    [grant] = provider.admin.create_grants(1)
    provider.admin.set_client_secret("fresh")
    assert refresh(provider, grant.refresh_token).status_code == 401
    assert refresh(provider, grant.refresh_token, ("fake-client", "fresh")).status_code == 200


def test_a_second_client_can_be_added(provider: FakeProvider) -> None:
    """A secret given for another client id adds that client beside the first."""
    [grant] = provider.admin.create_grants(1)
    provider.admin.set_client_secret("theirs", client_id="other")
    reply = refresh(provider, grant.refresh_token, ("other", "theirs"))
    assert refresh(provider, reply.json()["refresh_token"]).status_code == 200


def test_options_change_while_running(provider: FakeProvider) -> None:
    """Changed options hold from the next request on; the others stay, the secret is not told."""
    [grant] = provider.admin.create_grants(1)
    shown = provider.admin.change_options(rotation="none", expires_in_style="string")
    assert (shown["rotation"], shown["lifetime_seconds"]) == ("none", 60)
    assert "client_secret" not in provider.admin.options()
    body = refresh(provider, grant.refresh_token).json()
    assert (body["refresh_token"], body["expires_in"]) == (grant.refresh_token, "60")


@pytest.mark.parametrize("body", ["{", "[]", '{"rotation": "never"}', '{"colour": "red"}'])
def test_a_wrong_option_is_refused_in_one_sentence(provider: FakeProvider, body: str) -> None:
    """A mistake in an admin request is a 400 with one sentence, and changes nothing."""
    reply = loopback.patch(f"{provider.url}/admin/options", content=body)
    assert reply.status_code == 400
    assert "\n" not in reply.json()["error"]
    assert provider.admin.options() == Options(lifetime_seconds=60).public()


def test_the_board_tells_what_struck(provider: FakeProvider) -> None:
    """The rules in force are told with how often they were asked and struck."""
    [grant] = provider.admin.create_grants(1)
    provider.admin.add_fault("status_500", every_nth=2)
    for _ in range(3):
        refresh(provider, grant.refresh_token)
    [rule] = provider.admin.faults()
    assert (rule["kind"], rule["seen"], rule["struck"]) == ("status_500", 3, 1)
    provider.admin.clear_faults()
    assert provider.admin.faults() == []


def test_the_ledger_pages_through_every_grant(provider: FakeProvider) -> None:
    """Pages of two tell five accounts once each, in the order of consent."""
    provider.admin.create_grants(5)
    names = [record.external_id for record in provider.admin.grants(page_size=2)]
    assert names == [f"acct-{number}" for number in range(5)]


def test_the_ledger_knows_tokens_by_fingerprint(provider: FakeProvider) -> None:
    """The ledger tells SHA-256 of the newest pair and of what was presented, never a token."""
    [grant] = provider.admin.create_grants(1)
    assert grant.refresh_token is not None
    body = refresh(provider, grant.refresh_token).json()
    [record] = provider.admin.grants()
    assert record.access_token_sha256 == sha256(body["access_token"].encode()).hexdigest()
    assert record.refresh_token_sha256 == sha256(body["refresh_token"].encode()).hexdigest()
    assert record.events[0].presented == sha256(grant.refresh_token.encode()).hexdigest()
    page = loopback.get(f"{provider.url}/admin/ledger/grants").text
    assert body["access_token"] not in page
    assert body["refresh_token"] not in page


@pytest.mark.parametrize("query", ["after=-1", "limit=0", "limit=10001", "after=x"])
def test_a_wrong_page_is_refused(provider: FakeProvider, query: str) -> None:
    """A page that cannot be is a 400 that names its field."""
    reply = loopback.get(f"{provider.url}/admin/ledger/grants?{query}")
    assert reply.status_code == 400
    assert query.partition("=")[0] in reply.json()["error"]


def test_the_referee_tells_the_newest_pair_from_an_older_one(provider: FakeProvider) -> None:
    """A system that missed a rotation holds a living access token and a useless refresh token."""
    [old] = provider.admin.create_grants(1)
    body = refresh(provider, old.refresh_token).json()
    new = HeldTokens("acct-0", body["access_token"], body["refresh_token"])
    stale, current = provider.admin.check([held(old), new])
    assert (stale.access_active, stale.refresh_usable, stale.refresh_is_newest) == (
        True,
        False,
        False,
    )
    assert (current.access_is_newest, current.refresh_usable) == (True, True)
    assert current.refresh_is_newest
    assert provider.admin.summary().presented_twice == 0


def test_the_referee_counts_a_forgiven_token_as_usable(provider: FakeProvider) -> None:
    """Within the grace a spent refresh token is usable though not the newest."""
    provider.admin.change_options(grace_seconds=600)
    [old] = provider.admin.create_grants(1)
    refresh(provider, old.refresh_token)
    [judged] = provider.admin.check([held(old)])
    assert (judged.refresh_usable, judged.refresh_is_newest) == (True, False)


def test_the_referee_measures_how_long_a_token_has_been_dead(provider: FakeProvider) -> None:
    """Expired tokens are inactive for as long as the clock went past their end."""
    [grant] = provider.admin.create_grants(1)
    provider.admin.advance_clock(100)
    [judged] = provider.admin.check([held(grant)])
    assert not judged.access_active
    assert judged.expired_for_seconds == pytest.approx(40, abs=5)
    assert judged.refresh_usable


def test_the_referee_notices_tokens_in_the_wrong_place(provider: FakeProvider) -> None:
    """Another account's tokens, unknown tokens and unknown accounts are nobody's good tokens."""
    first, second = provider.admin.create_grants(2)
    swapped = HeldTokens(first.external_id, second.access_token, second.refresh_token)
    made_up = HeldTokens(first.external_id, "made-up", "made-up")
    nobody = HeldTokens("nobody", first.access_token, first.refresh_token)
    for judged in provider.admin.check([swapped, made_up, nobody]):
        assert not judged.is_owner
        assert not judged.access_active
        assert not judged.refresh_usable


def test_the_referee_sees_a_dead_family(provider: FakeProvider) -> None:
    """After a withdrawal, the stored pair is dead though nothing in it has expired."""
    [grant] = provider.admin.create_grants(1)
    provider.admin.revoke("acct-0")
    [judged] = provider.admin.check([held(grant)])
    assert (judged.is_owner, judged.family_alive) == (True, False)
    assert (judged.access_active, judged.refresh_usable) == (False, False)
