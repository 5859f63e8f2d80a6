"""The proof finds out each difference between what an entry says and what its provider does."""

import dataclasses
from dataclasses import replace
from typing import Any, get_args

import pytest

from refresher.devkit.oauth_server.entry import fields
from refresher.devkit.oauth_server.entry.fields import FACTS, PLAYED
from refresher.rules.providers import (
    BodyForm,
    ClientAuth,
    LifeFormat,
    Provider,
    Rotation,
    Slot,
    Strategy,
)
from refresher.testing.proof import PROMISES, Stand, prove

ACME = Provider(
    "acme",
    "https://{host}/oauth/{tenant}/token",
    host_pattern=r"[a-z]+\.acme\.example",
    host_example="eu.acme.example",
    placeholders={"tenant": "[a-z0-9]+"},
    revocation_url="https://{host}/oauth/revoke",
    client_auth=ClientAuth.BASIC,
    parameters={"audience": "https://{host}/"},
    headers={"X-Tenant": "{tenant}"},
    send_scope=True,
    response_path=("data", 0),
    answer_names={"access_token": ("token", "value"), "scope": ("scopes",)},
    access_token_lifetime_fields=("lives_for", "ends_at"),
    keep_fields=("account.id",),
    slots={"user": Slot(("more",), {"of": "user"}, "together"), "bot": Slot(("bot",))},
    error_path=("fault", "code"),
    error_detail_path=("fault", "text"),
    dead_grant_errors=frozenset({"gone"}),
    dead_grant_errors_at_any_status=frozenset({"gone"}),
    misconfigured_errors=frozenset({"who: bad app"}),
    retry_errors=frozenset({"gone: for now"}),
    success_without_error_codes=frozenset({"0"}),
    rotation=Rotation.ALWAYS,
    reuse_grace_seconds=60,
    access_token_lifetime_seconds=3_600,
    refresh_token_lifetime_seconds=86_400,
    max_requests_per_second=2,
    not_before_expiry_seconds=300,
    min_token_age_seconds=60,
)
FORMATS: tuple[LifeFormat, ...] = get_args(LifeFormat)
PLAIN = Provider("plain", "https://plain.example/token")
MINTED = replace(PLAIN, strategy=Strategy.CLIENT_CREDENTIALS)
EXCHANGED = replace(
    PLAIN,
    strategy=Strategy.LONG_LIVED_EXCHANGE,
    grant_type="exchange",
    client_auth=ClientAuth.NONE,
    body=BodyForm.QUERY,
    method="GET",
)

FILLED = replace(
    PLAIN,
    token_url="https://plain.example/{base}/token",
    placeholders={"base": "[a-z/]+", "callback": "https://.+"},
    path_placeholders=("base",),
    default_placeholders={"base": "", "callback": "https://ours.example/callback"},
    client_auth=ClientAuth.NONE,
    send_client_id=False,
    send_scope=True,
    scope_separator=",",
    query={"at": "{now}", "scopes": "{scope}"},
    headers={"Authorization": "Basic {client_basic}", "X-Request": "{uuid}"},
    parameters={"access_token": "{access_token}", "redirect_uri": "{callback}"},
    revocation_url="https://plain.example/{base}/token",
    revocation_method="DELETE",
    revocation_body=BodyForm.QUERY,
    revocation_parameters={"token": "{token}", "app": "{client_id}"},
    revocation_headers={"Authorization": "Client {client_secret}"},
    revocation_token="access_token",
)


@pytest.mark.parametrize(
    "entry",
    [
        FILLED,
        ACME,
        PLAIN,
        MINTED,
        EXCHANGED,
        replace(PLAIN, rotation=Rotation.NEVER),
        replace(PLAIN, body=BodyForm.JSON),
        *(
            replace(
                PLAIN,
                access_token_lifetime_format=form,
                refresh_token_lifetime_format=form,
                refresh_token_lifetime_seconds=86_400,
            )
            for form in FORMATS
        ),
        replace(
            PLAIN,
            error_path=(("error",), ("errors", 0, "code")),
            error_detail_path=(("message",), ("errors", 0, "text")),
            refusal_statuses=frozenset({500}),
        ),
        replace(PLAIN, refresh_interval_seconds=600, reuse_grace_seconds=60),
        replace(MINTED, refresh_interval_seconds=600),
        replace(
            PLAIN,
            refresh_token_lifetime_seconds=86_400,
            refresh_token_absolute_seconds=864_000,
            refresh_token_absolute_fields=("session_expires_in", "session_ends_at"),
        ),
        replace(PLAIN, old_access_token_survives=False),
        replace(PLAIN, retry="never", rotation=Rotation.ALWAYS),
        replace(PLAIN, prolongs=True, rotation=Rotation.NEVER),
        replace(PLAIN, reuse_grace_ends="new_access_token_used", reuse_grace_seconds=60),
        replace(PLAIN, reuse_grace_ends="new_refresh_token_used"),
        replace(PLAIN, status_errors={"401": "invalid_grant", "403": "invalid_client"}),
    ],
)
def test_a_right_entry_is_proven(entry: Provider):
    """Where provider and entry agree, nothing is said."""
    assert prove(entry) == []


def told(ours: Provider, theirs: Provider) -> str:
    """What is said of the first promise that an entry breaks at a provider that is otherwise."""
    for promise in PROMISES.values():
        stand = Stand(theirs)
        stand.entry = ours
        for sentence in promise(stand):
            return sentence
    return ""


@pytest.mark.parametrize(
    "change",
    [
        {"query": {"at": "{now}"}},
        {"query": {"at": "{uuid}", "scopes": "{scope}"}},
        {"scope_separator": ";"},
        {"send_client_id": True},
        {"headers": {"Authorization": "Basic {client_basic}"}},
        {"headers": {"Authorization": "Bearer {client_basic}", "X-Request": "{uuid}"}},
        {"headers": {"Authorization": "Basic {client_basic}", "X-Request": "{now}"}},
        {"parameters": {"access_token": "{refresh_token}", "redirect_uri": "{callback}"}},
        {"parameters": {"access_token": "{access_token}"}},
        {"revocation_method": "POST"},
        {"revocation_body": BodyForm.FORM},
        {"revocation_parameters": {"token": "{token}"}},
        {"revocation_headers": {}},
        {"revocation_token": "refresh_token"},
        {"revocation_client_auth": ClientAuth.POST},
    ],
    ids=str,
)
def test_what_is_filled_in_is_found_out(change: dict[str, Any]):
    """So does each place of a value that refresher, the app or the connection brings."""
    assert told(FILLED, replace(FILLED, **change)) or told(replace(FILLED, **change), FILLED)


@pytest.mark.parametrize(
    "change",
    [
        {"token_url": "https://{host}/oauth/{tenant}/tokens"},
        {"revocation_url": "https://{host}/oauth/revoked"},
        {"client_auth": ClientAuth.BASIC_RAW},
        {"client_auth": ClientAuth.POST},
        {"client_auth": ClientAuth.NONE},
        {"body": BodyForm.JSON},
        {"body": BodyForm.QUERY},
        {"grant_type": "renew"},
        {"token_parameter": "token"},
        {"parameter_names": {"grant_type": "kind"}},
        {"parameters": {}},
        {"parameters": {"audience": "https://{host}"}},
        {"headers": {}},
        {"headers": {"X-Tenant": "t-{tenant}"}},
        {"send_scope": False},
        {"response_path": ("data",), "answer_names": {}},
        {"answer_names": {"access_token": ("token", "value")}},
        {"access_token_lifetime_fields": ("lives_for",)},
        {"access_token_lifetime_fields": ("ends_at",)},
        {"access_token_lifetime_seconds": 1_800},
        {"keep_fields": ()},
        {"keep_fields": ("account.name",)},
        {"slots": {}},
        {"slots": {"user": Slot(("more",), {"of": "bot"}, "together")}},
        {"error_path": ("error",)},
        {"error_detail_path": ("fault", "words")},
        {"access_token_lifetime_format": "minutes"},
        {"refresh_token_lifetime_format": "milliseconds"},
        {"error_path": (("error",), ("fault", "kind"))},
        {"prolongs": True},
        {"old_access_token_survives": False},
        {"refresh_token_absolute_seconds": 40_000, "refresh_token_absolute_fields": ("over_on",)},
        {"refresh_interval_seconds": 7_200, "not_before_expiry_seconds": None},
        {"reuse_grace_ends": "new_refresh_token_used", "reuse_grace_seconds": 0},
        {"status_errors": {"410": "gone"}},
        {"refusal_statuses": frozenset({500})},
        {"dead_grant_errors_at_any_status": frozenset[str]()},
        {"retry_errors": frozenset[str]()},
        {"misconfigured_errors": frozenset[str]()},
        {"rotation": Rotation.NEVER},
        {"refresh_token_lifetime_seconds": 864_000},
        {"max_requests_per_second": 20},
        {"not_before_expiry_seconds": 1_200},
        {"min_token_age_seconds": 3_590, "not_before_expiry_seconds": None},
    ],
    ids=str,
)
def test_a_provider_that_is_otherwise_is_found_out(change: dict[str, Any]):
    """Each field of an entry that does not fit its provider breaks a promise."""
    assert told(ACME, replace(ACME, **change)) or told(replace(ACME, **change), ACME)


def test_every_field_is_played_or_a_fact():
    """What an entry can say is tried against the server, or needs no trying for a reason."""
    known = {field.name for field in dataclasses.fields(Provider)}
    unknown = known - PLAYED - set(FACTS)
    assert not unknown, (
        f"say of {unknown} in {fields.__name__} how it is played, or why it need not be"
    )
    assert (PLAYED | set(FACTS)) - known == set()
    assert PLAYED & set(FACTS) == set()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"strategy": Strategy.PLUGIN}, "plain: what a plug-in asks and reads is in no entry"),
        ({"token_url": "", "issuer": "https://plain.example"}, "plain: its endpoints are its issuer's"),
        (
            {"placeholders": {"shop": "[0-9]{9}"}, "parameters": {"shop": "{shop}"}},
            "plain: give a value for {shop}, whose pattern is [0-9]{9}",
        ),
        ({"headers": {"X": "{host}"}, "host_pattern": "a"}, "plain: no request can be built: host"),
    ],
)  # fmt: skip
def test_what_cannot_be_tried_is_said_once(change: dict[str, Any], said: str):
    """One sentence tells why, and what helps."""
    (sentence,) = prove(replace(PLAIN, **change))
    assert sentence.startswith(said)


def test_what_the_server_cannot_play_is_named(monkeypatch: pytest.MonkeyPatch):
    """An entry that says such a thing is not proven: a sentence names entry and field."""
    monkeypatch.setattr(fields, "PLAYED", PLAYED - {"body", "rotation"})
    (sentence,) = prove(replace(PLAIN, body=BodyForm.JSON))
    assert sentence.startswith("plain: the OAuth server does not play body, which the entry sets")
