"""Many tenants, one mail slot: turns, quotas, allowed domains, and names that are only names."""

from __future__ import annotations

from typing import Any

import pytest

from refresher.notify import delivery
from refresher.notify.mail_channel import MAIL
from refresher.rules.addresses import domain_fault
from tests.notify.mail.kit import Inbox, add, break_connections, claim, plan, post
from tests.web.kit import Site, refused
from tests.world import World


def sent_to(inbox: Inbox) -> list[str]:
    """Returns the domains of those who were told, in the order of arrival."""
    return [str(mail["To"]).rpartition("@")[2] for mail in inbox.mails]


def test_organizations_take_turns(mailing_world: World, inbox: Inbox) -> None:
    """One behind 150 of another tenant leaves as the second, and each has one before a second."""
    for number in range(150):
        add(mailing_world, f"stranger-{number}@many.example", "many")
    break_connections(mailing_world, "m", organization_id="many")
    plan(mailing_world)
    mailing_world.pass_time(1)
    for name in ("few", "other"):
        for number in range(2):
            add(mailing_world, f"ann-{number}@{name}.example", name)
        break_connections(mailing_world, name, organization_id=name)
    add(mailing_world, "ops@operators.example", None)

    assert post(mailing_world, most=8) == ["sent"] * 8

    order = sent_to(inbox)
    assert set(order[:3]) == set(order[3:6]) == {"many.example", "few.example", "other.example"}
    assert order[6:] == ["many.example"] * 2


def test_a_turn_is_taken_when_the_mail_is_claimed(mailing_world: World, inbox: Inbox) -> None:
    """A mail that is given back costs its organization the turn, so that it holds nobody up."""
    for name in ("a", "b"):
        add(mailing_world, f"ann@{name}.example", name)
        break_connections(mailing_world, name, organization_id=name)
    plan(mailing_world)
    given = claim(mailing_world)
    delivery.give_back_unbegun(mailing_world.services, MAIL)

    assert post(mailing_world, most=1) == ["sent"]

    first = (
        "select r.organization_id as whose from mail m join recipient r on r.id = m.recipient_id "
    )
    back = mailing_world.one(first + "where m.id = :id", id=given[0].id).whose
    assert sent_to(inbox) == [f"{({'a', 'b'} - {back}).pop()}.example"]


def test_an_organization_may_have_so_many_recipients(database_url: str) -> None:
    """By API: REFRESHER_QUOTA_RECIPIENTS; who is there may be changed; operators do not count."""
    world = World(database_url, quota_recipients=2)
    with Site.opened(world) as site:
        key = site.new_key(organization_id="a")

        def put(address: str, **more: Any) -> Any:
            return site("PUT", "/v1/recipients", json={"address": address, **more}, **keyed)

        keyed: dict[str, Any] = {"key": key}
        assert [put(f"{n}@a.example").status_code for n in range(2)] == [201, 201]
        problem = refused(put("2@a.example"), 409, "quota_reached")
        assert "REFRESHER_QUOTA_RECIPIENTS" in problem["detail"]
        assert put("0@a.example", choices={"connection.recovered": "none"}).status_code == 200
        keyed = {}
        assert put("x@a.example", organization_id="b").status_code == 201
        assert {put(f"{n}@a.example", organization_id=None).status_code for n in range(4)} == {201}
        rows = world.rows("select 1 from recipient where organization_id = 'a'")
        assert len(rows) == 2
    world.close()


@pytest.mark.parametrize(
    ("address", "is_allowed"),
    [
        ("ann@acme.example", True),
        ("ann@ACME.example", True),
        ("ann@mail.corp.example", True),
        ("ann@deep.mail.corp.example", True),
        ("ann@corp.example", False),
        ("ann@acme.example.evil.example", False),
        ("ann@evilacme.example", False),
        ("ann@sub.acme.example", False),
        ('"ann@acme.example"@evil.example', False),
    ],
)
def test_recipients_are_at_allowed_domains(address: str, is_allowed: bool) -> None:
    """A domain stands for itself, one with a star for all below it; without any, every one is good."""
    assert (domain_fault(address, ("acme.example", "*.corp.example")) is None) is is_allowed
    assert domain_fault(address, ()) is None


def test_a_stranger_s_address_is_refused(database_url: str) -> None:
    """With REFRESHER_RECIPIENT_DOMAINS an API key adds nobody elsewhere."""
    world = World(database_url, recipient_domains="acme.example, *.corp.example")
    with Site.opened(world) as site:
        body = {"address": "victim@elsewhere.example", "organization_id": "a"}
        problem = refused(site("PUT", "/v1/recipients", json=body), 422, "invalid_recipient")
        assert "*.corp.example or acme.example" in problem["detail"]
        good = {**body, "address": "ann@acme.example"}
        assert site("PUT", "/v1/recipients", json=good).status_code == 201
    world.close()


def test_a_name_is_shown_as_a_name(mailing_world: World, inbox: Inbox) -> None:
    """Neither the subject nor the text lets a name of somebody's read like a sentence of ours."""
    add(mailing_world, "victim@acme.example", "org-1")
    mailing_world.run(
        "insert into organization (id, name, reconnect_url) values ('org-1', 'Google Security', "
        "'https://accounts.google.com@evil.example/login')"
    )
    name = "URGENT: your mailbox\u202e is locked, see https://evil.example/" + "x" * 300
    break_connections(mailing_world, "1042", organization_id="org-1", name=name)

    assert post(mailing_world) == ["sent"]

    (mail,) = inbox.mails
    subject = str(mail["Subject"])
    assert subject.startswith("Reconnect Acme: “URGENT: your mailbox is locked, see https: evil")
    assert len(subject) < 120
    body = mail.get_body(["plain"])
    assert body is not None
    text = body.get_content()
    assert "connections of “Google Security” (org-1)" in text
    for harm in ("https://evil", "google.com@evil", "\u202e"):
        assert harm not in text
    assert "https://app.example/connections/1042/reconnect" in text
