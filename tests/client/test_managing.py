"""What an application manages by the SDK: connections, links, webhooks and apps; both ways alike."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from refresher.client import (
    Account,
    ApiError,
    Conflict,
    Connection,
    InvalidApp,
    InvalidConnection,
    InvalidWebhook,
    NoSuchApp,
    NoSuchConnection,
    NoSuchLink,
    NoSuchWebhook,
    Refresher,
)
from tests.client.conftest import Place

HOOK: dict[str, Any] = {"url": "http://127.0.0.1:1/hooks", "events": ["connection.*"]}


@pytest.fixture(params=["direct", "http"])
def operator(request: pytest.FixtureRequest, place: Place) -> Any:
    """Who may do everything for all organizations, straight on the database or by a key."""
    way = place.direct if request.param == "direct" else place.http_for_all
    with Refresher(**way) as opened:
        yield opened


def test_name_metadata_and_scopes_are_changed(refresher: Refresher, connected: Connection):
    """What is given changes, None takes a name away, what is left out stays."""
    changed = refresher.patch(connected.id, name="Ann", metadata={"plan": "gold"})
    assert (changed.name, changed.metadata) == ("Ann", {"plan": "gold"})
    changed = refresher.patch(connected.id, name=None, scopes=("read",))
    assert (changed.name, changed.metadata, changed.scopes) == (None, {"plan": "gold"}, ("read",))
    with pytest.raises(InvalidConnection, match="name"):
        refresher.patch(connected.id, name="a\nb")


def test_disabling_and_enabling(refresher: Refresher, connected: Connection):
    """A disabled connection keeps its tokens; enabling ends that and no pause."""
    assert refresher.disable(connected.id).health == "disabled"
    refresher.pause(connected.id)
    assert refresher.enable(connected.id).health == "paused"
    assert refresher.resume(connected.id).health == "fresh"


def test_connections_are_found_and_filtered(refresher: Refresher, place: Place):
    """By a text, and by each filter that the API has; a wrong word is told."""
    name = f"Ann {uuid4()}"
    made = refresher.register(**place.fields(name=name))
    assert refresher.find(name) == (made,)
    assert refresher.find(made.external_id, organization_id="org")[0] == made
    assert refresher.find("nobody") == ()
    parked = refresher.pause(made.id)
    chosen: dict[str, Any] = {"external_id": made.external_id, "state": "parked"}
    assert list(refresher.list(**chosen, reason="paused", health="paused")) == [parked]
    assert list(refresher.list(**chosen, reason="disabled")) == []
    wrong: list[dict[str, Any]] = [{"health": "good"}, {"state": "there"}, {"reason": "none"}]
    for filters in wrong:
        with pytest.raises(ApiError, match=next(iter(filters))) as raised:
            list(refresher.list(**filters))
        assert (raised.value.status, raised.value.code) == (400, "invalid_query")
    with pytest.raises(ApiError, match="find"):
        refresher.find("a\x00b")


def test_resume_links(refresher: Refresher, connected: Connection):
    """One is made, listed, and withdrawn; its address is in no repr."""
    link = refresher.resume_link(connected.id, expires_in_seconds=3_600)
    assert link.url is not None
    assert link.url.endswith(link.path)
    assert link.path not in repr(link)
    assert [one.state for one in refresher.resume_links(connected.id)] == ["open"]
    assert refresher.withdraw_link(connected.id, link.id).state == "withdrawn"
    with pytest.raises(NoSuchLink):
        refresher.withdraw_link(connected.id, uuid4())


def test_webhooks(operator: Refresher):
    """An endpoint from its first day to its last; the secret is told when it is made, then never."""
    hooks = operator.webhooks
    made = hooks.create(**HOOK, organization_id="org", description="the app")
    assert made.secret is not None
    assert made.secret.reveal().startswith("whsec_")
    assert made.secret.reveal() not in repr(made)
    seen = hooks.get(made.id)
    assert (seen.url, seen.events, seen.secret) == (HOOK["url"], ("connection.*",), None)
    assert made.id in {one.id for one in hooks.list(organization_id="org")}
    assert made.id not in {one.id for one in hooks.list(organization_id="another")}
    assert hooks.change(made.id, events=("*",)).events == ("*",)
    rotated = hooks.rotate_secret(made.id, overlap_seconds=60)
    assert rotated.secret != made.secret
    assert rotated.previous_secret_until.tzinfo is not None
    assert hooks.replay(made.id, only_failed=True) == 0
    assert hooks.disable(made.id).disabled_at is not None
    with pytest.raises(Conflict, match="enable it first"):
        hooks.replay(made.id, only_failed=True)
    assert hooks.enable(made.id).disabled_at is None
    assert list(hooks.deliveries(made.id, state="failed")) == []
    hooks.delete(made.id)
    with pytest.raises(NoSuchWebhook):
        hooks.get(made.id)


def test_webhooks_that_cannot_be(operator: Refresher):
    """One sentence each, and the same error either way."""
    hooks = operator.webhooks
    for wrong in ({"events": ["connection.nothing"]}, {"url": "http://93.184.216.34/"}):
        with pytest.raises(InvalidWebhook):
            hooks.create(**{**HOOK, "organization_id": "org", **wrong})
    with pytest.raises(NoSuchWebhook):
        hooks.test("none")
    made = hooks.create(**HOOK, organization_id=None)
    assert made.organization_id is None
    with pytest.raises((InvalidWebhook, ApiError), match="name one of"):
        hooks.replay(made.id)
    hooks.delete(made.id)


def test_messages_are_tried_and_looked_at(operator: Refresher):
    """A test goes out at once, and its outcome is told, whatever it is."""
    made = operator.webhooks.create(**HOOK, organization_id="org")
    tested = operator.webhooks.test(made.id)
    assert (tested.delivered, tested.id) == (False, made.id)
    assert tested.told
    operator.webhooks.delete(made.id)


def test_many_at_once(refresher: Refresher, place: Place):
    """Looked at first, then begun, once for one plan, and stopped; names of accounts will do."""
    both = [refresher.register(**place.fields()) for _ in range(2)]
    account = Account(both[1].organization_id, both[1].provider, both[1].external_id)
    seen = refresher.bulk.preview("pause", which=[both[0].id, account])
    assert (seen.number, seen.providers, seen.left_out) == (2, {"acme": 2}, ())
    assert {row.id for row in seen.sample} == {one.id for one in both}
    assert seen.plan not in repr(seen)
    job = refresher.bulk.begin(seen)
    assert refresher.bulk.begin(seen.plan) == job == refresher.bulk.get(job.id)
    assert next(iter(refresher.bulk.list())) == job
    assert refresher.bulk.stop(job.id).ended_at is not None
    with pytest.raises(Conflict, match="preview"):
        refresher.bulk.begin("none")
    with pytest.raises(ApiError) as raised:
        refresher.bulk.get(10**9)
    assert (raised.value.status, raised.value.code) == (404, "no_such_job")


def test_apps(operator: Refresher):
    """Stored as a whole, secrets changed without a gap, and never shown."""
    made = operator.apps.set("google", name="eu", client_id="ours", client_secret="s3cret")
    assert (made.name, made.has_secret, made.material) == ("eu", True, ())
    rotated = operator.apps.rotate_secret("google", "n3w", name="eu")
    assert rotated.material == ("previous_client_secret",)
    assert operator.apps.end_rotation("google", name="eu").material == ()
    assert "eu" in {one.name for one in operator.apps.list() if one.provider == "google"}
    with pytest.raises(NoSuchApp):
        operator.apps.end_rotation("google", name="nobody")
    with pytest.raises(InvalidApp):
        operator.apps.set("google", client_id="o", client_secret="s", private_key="no key")


def test_apps_are_not_for_a_key_of_one_organization(place: Place):
    """All organizations share them."""
    with Refresher(**place.http) as bound, pytest.raises(ApiError) as raised:
        bound.apps.list()
    assert raised.value.status == 403


def test_every_method_takes_the_names(refresher: Refresher, place: Place):
    """A token, a look, a deed, the history, a deletion; and another's names are nobody's."""
    fields = place.fields()
    made = refresher.register(**fields)
    account = Account("org", "acme", fields["external_id"])
    assert refresher.token(account).access_token.reveal() == fields["access_token"]
    assert refresher.headers(account) == {"Authorization": f"Bearer {fields['access_token']}"}
    assert refresher.get(account) == made == refresher.find(account)
    assert refresher.pause(("org", "acme", fields["external_id"])).state == "parked"
    assert refresher.resume(account).id == made.id
    assert [event.kind for event in refresher.events(account)][-1] == "imported"
    refresher.delete(account)
    assert refresher.find(account) is None
    with pytest.raises(NoSuchConnection):
        refresher.get(Account("another", "acme", fields["external_id"]))


def test_a_key_of_one_organization_knows_no_other(place: Place):
    """Over HTTP another organization's account is simply no connection."""
    with Refresher(**place.direct) as here, Refresher(**place.http) as there:
        here.register(**place.fields(organization_id="other", external_id=f"a-{uuid4()}"))
        theirs = next(here.list(organization_id="other"))
        account = Account("other", theirs.provider, theirs.external_id)
        assert here.find(account) == theirs
        assert there.find(account) is None
