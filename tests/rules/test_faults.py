"""Whose fault a refusal is, as tables: one grant's, until others of its scope are told the same."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from refresher.rules.connection import App, Sealed
from refresher.rules.faults import (
    FORGET_SECONDS,
    Evidence,
    Fault,
    FaultScope,
    Place,
    Sort,
    ToldFault,
    Weighed,
    Witness,
    doubts_every_seconds,
    may_probe,
    place_of,
    place_of_fault,
    scopes,
    waits_for,
    weigh,
)
from refresher.rules.limits import BreakerPolicy
from refresher.rules.policy import Policy
from tests.rules.samples import DAY, HOUR, connection, provider

REFUSED, LIMITED, SILENT = Sort.REFUSED, Sort.LIMITED, Sort.SILENT


def place(grant: str = "1", organization_id: str = "org", host: str | None = None) -> Place:
    """Returns where a grant of acme is refreshed."""
    return Place(grant, organization_id, "acme", "default", host)


def told(
    where: Place, sort: Sort = REFUSED, *, probed: bool = False, seconds: Any = None
) -> ToldFault:
    """Returns a grant's word of a fault."""
    witness = Witness(where.grant, where.organization_id, where.host)
    return ToldFault(witness, Fault(sort, "said so", seconds), probed)


def judged(scope: FaultScope, *words: ToldFault, before: Evidence | None = None) -> Weighed:
    """Returns what these words come to, all else being usual."""
    return weigh(scope, before, words, Policy(), BreakerPolicy())


def held(*places: Place, sort: Sort = REFUSED) -> set[str]:
    """Returns the keys of the scopes that are held when each of these is told so, one by one."""
    family = "app" if sort is REFUSED else "provider"
    known: dict[str, Evidence] = {}
    found = set()
    for where in places:
        for scope in scopes(where, family):
            weighed = judged(scope, told(where, sort), before=known.get(scope.key))
            known[scope.key] = weighed.evidence
            if weighed.pause_seconds:
                found.add(scope.key)
    return found


ONE, OTHER = place("1"), place("2")
ELSEWHERE = place("3", "other")


def at(grant: str, host: str, organization_id: str = "org") -> Place:
    """Returns where a grant with a host of its own is refreshed."""
    return place(grant, organization_id, host)


@pytest.mark.parametrize(
    ("places", "keys"),
    [
        ([ONE], set()),
        ([ONE, ONE, ONE], set()),  # the same one again and again
        ([ONE, OTHER], {"acme/default#org"}),  # two of one organization hold that alone
        ([ONE, ELSEWHERE], {"acme/default"}),
        ([ONE, OTHER, ELSEWHERE], {"acme/default#org", "acme/default"}),
        ([at("1", "a"), at("2", "b")], set()),
        ([at("1", "a"), at("2", "a")], {"acme/default@a#org"}),
        ([at("1", "a"), at("2", "a", "other")], {"acme/default@a"}),
        ([at(str(n), f"h{n}") for n in range(3)], {"acme/default#org"}),
        (
            [at("1", "a"), at("2", "b"), at("3", "c", "other")],
            {"acme/default"},
        ),
        # however many of one organization at its own host
        ([at(str(n), "mine") for n in range(25)], {"acme/default@mine#org"}),
    ],
)
def test_a_scope_is_held_when_enough_of_it_were_told_the_same(
    places: list[Place], keys: set[str]
) -> None:
    """M17: grants, hosts and organizations must agree, the more of them the wider the scope."""
    assert held(*places) == keys


@pytest.mark.parametrize("sort", list(Sort))
def test_each_sort_of_fault_follows_one_rule(sort: Sort) -> None:
    """M17: one grant alone holds nobody, whatever it was told."""
    assert held(*[ONE] * 50, sort=sort) == set()


@pytest.mark.parametrize(
    ("grants", "keys"), [(1, set()), (19, set()), (20, {"acme#org"})], ids=["one", "19", "20"]
)
def test_silence_is_believed_after_twenty_in_a_row(grants: int, keys: set[str]) -> None:
    """M17: a breaker needs several grants and as many failures as its policy says."""
    assert held(*[place(str(n)) for n in range(grants)], sort=SILENT) == keys


def test_a_success_between_forgets_what_was_told_before() -> None:
    """M17: the second word counts as the first one, for the row is gone."""
    scope = scopes(ONE, "app")[-1]
    first = judged(scope, told(ONE))
    assert judged(scope, told(OTHER), before=first.evidence).pause_seconds == 60.0
    assert judged(scope, told(OTHER), before=None).pause_seconds is None


def test_an_hour_of_quiet_forgets_as_well() -> None:
    """M17: two words that lie an hour apart do not speak of one trouble."""
    scope = scopes(ONE, "app")[-1]
    known = replace(judged(scope, told(ONE)).evidence, age_seconds=FORGET_SECONDS)
    assert judged(scope, told(OTHER), before=known).pause_seconds is None


@pytest.mark.parametrize(
    ("sort", "refusals", "asked", "seconds"),
    [
        (REFUSED, 0, None, 60.0),
        (REFUSED, 1, None, 120.0),
        (REFUSED, 9, None, 900.0),
        (LIMITED, 0, None, 60.0),
        (LIMITED, 0, 30.0, 30.0),
        (LIMITED, 0, 0.0, 1.0),
        (LIMITED, 0, DAY, 900.0),  # however long it asks for: then somebody probes
        (LIMITED, 3, DAY, 900.0),
        (SILENT, 0, None, 30.0),
        (SILENT, 1, None, 60.0),
        (SILENT, 9, None, 600.0),
    ],
)
def test_no_wait_of_others_is_longer_than_fifteen_minutes(
    sort: Sort, refusals: int, asked: float | None, seconds: float
) -> None:
    """M17: each pause has its length, and is prolonged when its probe is told the same."""
    scope = scopes(ONE, "provider")[-1]
    known = Evidence((Witness("1", "org", None),), failures=30, refusals=refusals)
    word = told(OTHER, sort, probed=True, seconds=asked)
    weighed = judged(scope, word, before=known)
    assert (weighed.pause_seconds, weighed.evidence.refusals) == (seconds, refusals + 1)
    assert weighed.is_new == (refusals == 0)


KNOWN = Evidence((Witness("1", "org", None), Witness("2", "org", None)), 2, refusals=1)


@pytest.mark.parametrize(
    ("word", "seconds"),
    [
        (told(place("9"), probed=False), None),  # it left before the pause began
        (told(ONE, probed=True), 0.0),  # a witness says nothing new: the next may probe
        (told(place("9"), probed=True), 120.0),
        (told(ONE, SILENT, probed=True), 60.0),  # who answers nobody is protected all the same
    ],
)
def test_a_pause_is_prolonged_by_a_probe_that_is_not_its_cause(
    word: ToldFault, seconds: float | None
) -> None:
    """M17: the row that caused a pause is never the one that keeps it up."""
    weighed = judged(scopes(ONE, "app")[-1], word, before=KNOWN)
    assert weighed.pause_seconds == seconds
    assert not weighed.is_new


@pytest.mark.parametrize(
    ("sort", "left", "is_witness", "may"),
    [
        (REFUSED, 60.0, False, True),
        (LIMITED, 60.0, False, True),
        (SILENT, 60.0, False, False),
        (REFUSED, 60.0, True, False),
        (REFUSED, 0.0, True, True),
        (SILENT, -1.0, False, True),
    ],
)
def test_a_pause_is_doubted_by_others_than_its_cause(
    sort: Sort, left: float, *, is_witness: bool, may: bool
) -> None:
    """M17: before its end only by a grant that was not told so itself."""
    assert may_probe(sort, left, is_witness=is_witness) is may


def test_doubts_are_few() -> None:
    """An app is doubted once a minute, a rate limit every five, a silent host not at all."""
    every = [doubts_every_seconds(sort, Policy()) for sort in (REFUSED, LIMITED, SILENT)]
    assert every == [60.0, 300.0, None]


def test_witnesses_are_each_remembered_once_and_no_more_than_twenty() -> None:
    """The row stays small however long the trouble lasts; who spoke last is kept."""
    scope = scopes(ONE, "app")[-1]
    weighed = judged(scope, *[told(place(str(n % 30))) for n in range(90)])
    assert [w.grant for w in weighed.evidence.witnesses] == [str(n) for n in range(10, 30)]


@pytest.mark.parametrize(("failures", "is_news"), [(0, False), (1, False), (2, True), (3, False)])
def test_a_lone_grant_that_is_refused_again_and_again_is_news_once(
    failures: int, *, is_news: bool
) -> None:
    """A wrong secret is told although only one grant exists: with its third refusal."""
    known = Evidence((Witness("1", "org", None),), failures)
    assert judged(scopes(ONE, "app")[-1], told(ONE), before=known).is_news is is_news


@pytest.mark.parametrize(
    ("url", "stored", "default", "host"),
    [
        ("https://acme.example/token", None, None, None),
        ("https://acme.example/token", "ignored.example", None, None),
        ("https://{host}/token", "Shop.example", None, "shop.example"),
        ("https://{host}/token", None, "common", "common"),
        ("https://login.example/{host}/token", "tenant", "common", "tenant"),
        ("https://{host}/token", None, None, ""),
    ],
)
def test_the_host_of_a_grant_is_the_one_that_its_request_goes_to(
    url: str, stored: str | None, default: str | None, host: str | None
) -> None:
    """M17: however it is spelled, and the entry's own where the connection names none."""
    of = provider(token_url=url, default_host=default)
    assert place_of(of, connection(host=stored)).host == host


@pytest.mark.parametrize(
    ("scope", "sort", "host"),
    [
        ("host", LIMITED, "a.example"),
        ("provider", LIMITED, None),
        ("provider", SILENT, "a.example"),
        ("provider", REFUSED, "a.example"),
    ],
)
def test_a_limit_of_the_whole_provider_is_met_at_no_host(
    scope: str, sort: Sort, host: str | None
) -> None:
    """Where the entry says so, two tenants of any hosts hold all; silence stays a host's own."""
    of = provider(token_url="https://{host}/token", pause_scope=scope)
    assert place_of_fault(of, connection(host="a.example"), Fault(sort, "x")).host == host


def test_every_value_in_the_url_tells_hosts_apart() -> None:
    """Two tenants of one server are two hosts."""
    of = provider(token_url="https://{host}/{tenant}/token", placeholders={"tenant": ".*"})
    of_one = connection(host="EU.example", placeholders={"tenant": "T1"})
    assert place_of(of, of_one).host == "eu.example/t1"


def test_an_app_s_values_are_places_of_their_own():
    """They are sealed, so the app's name stands for them; the connection's own count first."""
    of = provider(token_url="https://{host}/token", default_host="a.example")
    bare, of_app = App(UUID(int=1), "id", None), App(UUID(int=1), "id", None, Sealed(b"x"))
    for app, host, place in (
        (bare, None, "a.example"),
        (of_app, None, "default"),
        (of_app, "b.example", "b.example"),
    ):
        assert place_of(of, replace(connection(host=host), app=app)).host == place


@pytest.mark.parametrize(
    ("fault", "host", "name"),
    [
        (None, None, None),
        (Fault(REFUSED, "x"), None, "app:acme/default"),
        (Fault(REFUSED, "x"), "a", "app:acme/default"),
        (Fault(SILENT, "x"), None, "provider:acme"),
        (Fault(SILENT, "x"), "a", "provider:acme@a"),
        (Fault(LIMITED, "x", HOUR), "a", "asked provider:acme@a"),  # it was asked of this one
    ],
)
def test_a_grant_waits_for_the_end_of_the_trouble_that_it_met(
    fault: Fault | None, host: str | None, name: str | None
) -> None:
    """M22: so it can be found, and tried at once, when that ends."""
    assert waits_for(place(host=host), fault) == name
