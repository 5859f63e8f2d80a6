"""Rows of other systems become import lines, or a sentence says why not."""

import json
import re
from typing import Any

import pytest

from refresher.catalogue import load
from refresher.errors import InvalidConnection
from refresher.rules.moving import Mover, System, Wishes
from refresher.rules.moving.names import HOSTS, NAMES
from refresher.rules.registration import read
from tests.rules.moving.rows import NANGO_KEY, ROWS, row, sealed

CATALOGUE = load(None)
N, A, P = System.NANGO, System.AUTHJS, System.PYTHON_SOCIAL_AUTH
D, S, C = System.DJANGO_ALLAUTH, System.SUPABASE, System.COMPOSIO
END = "2030-01-01T00:00:00+00:00"
FERNET = "gAAAAAB" + "x" * 93
OWN_MICROSOFT = "8eaef023-2b34-4da1-9baa-8bc8c9d6a490"


def line(system: System, given: object, key: bytes | None = None, **wishes: Any) -> dict[str, Any]:
    """Returns the import line of a row, which our own rules must take."""
    made = Mover(system, Wishes(**wishes), CATALOGUE, key).line(given)
    read(made)
    return made


def credentials(**changed: Any) -> dict[str, Any]:
    """Returns a good row of Nango with some of its credentials changed."""
    return row(N, credentials={**ROWS[N]["credentials"], **changed})


def extra(**changed: Any) -> dict[str, Any]:
    """Returns a good row of python-social-auth with some of `extra_data` changed."""
    return row(P, extra_data={**ROWS[P]["extra_data"], **changed})


def state(**changed: Any) -> dict[str, Any]:
    """Returns a good row of Composio with some of its state's values changed."""
    val = {**ROWS[C]["state"]["val"], **changed}
    return row(C, state={"authScheme": "OAUTH2", "val": val})


@pytest.mark.parametrize(
    ("system", "expected"),
    [
        (N, {"organization_id": "acme", "provider": "google", "external_id": "conn-1",
             "expires_at": END, "granted_scopes": ["a", "b"], "name": "Ann",
             "metadata": {"plan": "pro", "end_user_id": "u1", "moved_from": "nango"}}),
        (A, {"organization_id": "u1", "provider": "microsoft", "external_id": "1042",
             "expires_at": END, "granted_scopes": ["a", "b"],
             "metadata": {"user_id": "u1", "moved_from": "authjs"}}),
        (P, {"organization_id": "5", "provider": "google", "external_id": "ann@acme.com",
             "expires_at": END, "metadata": {"user_id": "5", "moved_from": "python-social-auth"}}),
        (D, {"organization_id": "5", "provider": "google", "external_id": "1042",
             "expires_at": END, "metadata": {"user_id": "5", "moved_from": "django-allauth"}}),
        (S, {"organization_id": OWN_MICROSOFT, "provider": "microsoft", "external_id": "1042",
             "expires_at": END,
             "metadata": {"user_id": OWN_MICROSOFT, "moved_from": "supabase"}}),
        (C, {"organization_id": "u1", "provider": "google", "external_id": "ca_1",
             "granted_scopes": ["a", "b"], "name": "gmail_red-castle",
             "metadata": {"user_id": "u1", "moved_from": "composio"}}),
    ],
)  # fmt: skip
def test_a_good_row_of_each_system(system: System, expected: dict[str, Any]):
    """A row of each system has its names, tokens, end and owner in our words."""
    assert line(system, row(system)) == {
        "access_token": "at",
        "refresh_token": "rt",
        **expected,
    }


@pytest.mark.parametrize(
    ("system", "given", "wishes", "expected"),
    [
        # Organization: one for all, a field of theirs, or what their system has next.
        (N, row(N), {"organization": "one"}, {"organization_id": "one"}),
        (N, row(N), {"organization_from": "metadata.plan"}, {"organization_id": "pro"}),
        (N, row(N, end_user={"id": "u2"}), {}, {"organization_id": "u2"}),
        (N, row(N, end_user=None, tags={"end_user_id": "u3"}), {}, {"organization_id": "u3"}),
        (N, row(N, end_user=..., tags={"organization_id": "o"}), {}, {"organization_id": "o"}),
        # Providers: ours by wish, else by the table, else the same name.
        (A, row(A, provider="mine"), {"providers": {"mine": "google"}}, {"provider": "google"}),
        (A, row(A, provider="github"), {}, {"provider": "github"}),
        (N, row(N, provider=..., provider_config_key="github"), {}, {"provider": "github"}),
        # Apps: by the client, by the provider, for all the rest.
        (C, row(C), {"apps": {"ac_1": "eu"}}, {"app": "eu"}),
        (C, row(C), {"apps": {"gmail": "eu", "": "us"}}, {"app": "eu"}),
        (A, row(A), {"apps": {"": "us"}}, {"app": "us"}),
        # Places: as it is, a URL's host, the first label; a wish wins; a source's own default.
        (N, row(N, provider="zendesk", connection_config={"subdomain": "acme"}), {},
         {"host": "acme.zendesk.com"}),
        (N, row(N, provider="zendesk", connection_config={"subdomain": "acme"}),
         {"hosts": {"zendesk": "other"}}, {"host": "other.zendesk.com"}),
        (N, row(N, provider="zendesk"), {"hosts": {"": "a.zendesk.com"}}, {"host": "a.zendesk.com"}),
        (N, row(N, provider="zendesk"), {"hosts": {"": "no host"}}, {"host": "no host"}),
        (N, row(N, provider="salesforce", connection_config={"hostname": "acme.my.salesforce.com"}),
         {}, {"host": "acme.my.salesforce.com"}),
        (N, row(N, provider="salesforce"), {}, {"host": "login.salesforce.com"}),
        (P, {**extra(instance_url="https://acme.my.salesforce.com"), "provider": "salesforce-oauth2"},
         {}, {"host": "acme.my.salesforce.com"}),
        (N, row(N, provider="microsoft-tenant-specific", connection_config={"tenant": OWN_MICROSOFT}),
         {}, {"host": OWN_MICROSOFT, "provider": "microsoft"}),
        (N, row(N, provider="workday", connection_config={"tenant": "acme", "hostname": "x"}),
         {"hosts": {"": "wd2-impl-services1.workday.com"}},
         {"host": "wd2-impl-services1.workday.com"}),
        # Times: seconds, milliseconds, texts of them, ISO 8601 with and without an offset, none.
        (A, row(A, expires_at="1893456000"), {}, {"expires_at": END}),
        (A, row(A, expires_at="2030-01-01 01:00:00+01:00"), {}, {"expires_at": END}),
        (P, extra(expires_on="1893456000"), {}, {"expires_at": END}),
        (P, extra(expires=1893456000), {}, {"expires_at": END}),
        (P, extra(expires=..., expires_in="3600"), {}, {"expires_at": END}),
        # Columns in snake_case, JSON in texts, what users hand in of Supabase's session.
        (A, row(A, userId=..., user_id="u9", providerAccountId=..., provider_account_id="9"), {},
         {"organization_id": "u9", "external_id": "9"}),
        (P, row(P, extra_data=json.dumps(ROWS[P]["extra_data"])), {}, {"access_token": "at"}),
        (S, {"provider_token": "at", "access_token": "theirs", "expires_at": 1,
             "user": {"id": "u1", "app_metadata": {"provider": "google"}}}, {},
         {"provider": "google", "external_id": "u1", "organization_id": "u1"}),
        (S, row(S, provider_token=..., scopes="a b"), {"organization": "o"},
         {"refresh_token": "rt", "granted_scopes": ["a", "b"]}),
        (C, row(C, status="INACTIVE"), {}, {"external_id": "ca_1"}),
    ],
)  # fmt: skip
def test_what_a_row_comes_to(system: System, given: Any, wishes: Any, expected: Any):
    """Organizations, providers, apps, hosts and times are found where each system has them."""
    made = line(system, given, **wishes)
    assert {name: made.get(name) for name in expected} == expected


@pytest.mark.parametrize(
    ("system", "given", "absent"),
    [
        (P, extra(auth_time=...), "expires_at"),
        (P, extra(expires=None), "expires_at"),
        (A, row(A, expires_at=0), "expires_at"),
        (A, row(A, scope=" , "), "granted_scopes"),
        (A, row(A, scope=None), "granted_scopes"),
        (C, state(scope=[]), "granted_scopes"),
        (S, row(S, provider_token_expires_at=..., expires_at=1), "expires_at"),
        (D, row(D, token_secret=""), "refresh_token"),
        (N, row(N, provider="microsoft", connection_config={"hostname": "!", "region": 3}), "host"),
        (N, row(N, provider="google", end_user=None, tags={"end_user_id": "u"}), "name"),
    ],
)
def test_what_nobody_knows_is_left_out(system: System, given: Any, absent: str):
    """An end, a host, scopes or a token that their system does not hold are not invented."""
    given = {name: value for name, value in given.items() if value is not ...}
    if isinstance(given.get("extra_data"), dict):
        data = given["extra_data"].items()
        given["extra_data"] = {name: value for name, value in data if value is not ...}
    assert absent not in line(system, given)


@pytest.mark.parametrize(
    ("system", "given", "part"),
    [
        # Of another system, of ours, or of nobody.
        (A, ROWS[N], "it looks like an export of nango: say --from nango"),
        (N, ROWS[C], "--from composio"),
        (D, {"organization_id": "o", "provider": "p", "external_id": "1"}, "leave --from out"),
        (C, {"items": [], "next_cursor": None}, "jq -c '.items[]'"),
        (A, {"provider": "google"}, "providerAccountId is missing"),
        (P, {"id": 1}, "extra_data, provider, uid are missing"),
        (A, ["a"], "as many fields as the header"),
        # What is missing or no text in a row.
        (A, row(A, provider=""), "provider is missing"),
        (A, row(A, providerAccountId=True), "providerAccountId must be a text"),
        (A, row(A, userId=None), "it tells of no user that it belongs to: say --organization"),
        (N, row(N, metadata="[1]"), "metadata must be an object"),
        (S, row(S, provider=None, user=None), "provider is missing"),
        # Not OAuth 2, or nobody's tokens.
        (A, row(A, type="email"), "of the type email"),
        (P, extra(access_token={"oauth_token": "x"}), "OAuth 1"),
        (N, credentials(type="API_KEY"), "of the type API_KEY"),
        (N, credentials(type="OAUTH2_CC"), "`refresher apps set`"),
        (N, credentials(config_override={"client_id": "own"}), "an OAuth client of its own"),
        (N, row(N, credentials={}), "environment:connections:read_credentials"),
        (N, row(N, deleted=True), "deleted in Nango"),
        (N, row(N, error="status 404, not_found"), "Nango does not give it: status 404"),
        (
            S,
            {"identity_data": {}, "provider": "google", "user_id": "u"},
            "Supabase Auth stores none",
        ),
        (C, row(C, state={"authScheme": "API_KEY", "val": {}}), "scheme is API_KEY"),
        # Half-finished, dead, masked, of somebody else's client.
        (C, row(C, status="INITIATED"), "never finished"),
        (C, row(C, status="EXPIRED"), "dead at Composio"),
        (C, state(access_token="gho_..."), "Mask Connected Account Secrets"),
        (C, state(refresh_token="REDACTED"), "are masked"),
        (C, row(C, auth_config={"id": "a", "is_composio_managed": True}), "Composio's own OAuth"),
        # Encrypted by them.
        (P, row(P, extra_data=FERNET), "extra_data is encrypted by their system"),
        (P, row(P, extra_data="no json"), "perhaps their system encrypts it"),
        (P, row(P, extra_data=""), "no token came"),
        (D, row(D, token=FERNET), "token is encrypted"),
        (A, row(A, refresh_token="\\xc30d0407"), "refresh_token is encrypted"),
        (N, row(N, **sealed({})), "put that installation's NANGO_ENCRYPTION_KEY"),
        # Times that are none.
        (A, row(A, expires_at="soon"), "expires_at is no time"),
        (A, row(A, expires_at=10**17), "expires_at is no time"),
        (A, row(A, expires_at=True), "expires_at is no time"),
        (P, extra(expires="soon"), "expires is no number of seconds"),
        # Providers and organizations that are not there.
        (A, row(A, provider="gogle"), 'did you mean "google"?'),
        (A, row(A, provider="gogle"), "--provider gogle=NAME"),
    ],
)
def test_why_a_row_is_refused(system: System, given: Any, part: str):
    """Whatever is wrong with a row, one sentence says it, and repeats no token."""
    if part == "no token came":
        assert "access_token" not in line(system, given)
        return
    with pytest.raises(InvalidConnection) as raised:
        line(system, given)
    assert part in str(raised.value)
    assert "gAAAAAB" not in str(raised.value)


def test_a_field_for_the_organization_must_be_there():
    """--organization-from names a field that a row lacks: the sentence says which."""
    for path in ("tags.team", "provider.deeper"):
        with pytest.raises(InvalidConnection, match=f"it has no {path}"):
            line(N, row(N), organization_from=path)


def test_a_second_client_is_told_from_the_first():
    """A refresh token works with one client alone: who has two of a provider says which is which."""
    mover = Mover(N, Wishes(), CATALOGUE)
    assert "app" not in mover.line(row(N))
    other = row(N, provider="google-drive", provider_config_key="google-drive")
    with pytest.raises(
        InvalidConnection, match=r"google-drive, not google-mail.*--app google-drive="
    ):
        mover.line(other)
    assert "app" not in mover.line(row(N))
    assert line(N, other, apps={"google-drive": "drive"})["app"] == "drive"


def test_nango_s_own_encryption_is_opened_with_its_key():
    """A dump of Nango's database is read with its key, and with no other."""
    dumped = row(N, **sealed(ROWS[N]["credentials"]))
    assert line(N, dumped, NANGO_KEY)["refresh_token"] == "rt"
    for wrong in (bytes(32), NANGO_KEY):
        broken = dumped if wrong != NANGO_KEY else {**dumped, "credentials_iv": "!"}
        with pytest.raises(InvalidConnection, match="NANGO_ENCRYPTION_KEY does not open"):
            line(N, broken, wrong)
    with pytest.raises(InvalidConnection, match="credentials are no object"):
        line(N, row(N, **sealed(["x"])), NANGO_KEY)


def test_a_placeholder_is_found_by_its_name():
    """What an entry calls a placeholder, and they note under that name, comes along."""
    found = [p for p in CATALOGUE.providers if p.placeholders and not p.host_pattern]
    named = dict.fromkeys(found[0].placeholders, "1")
    made = line(N, row(N, provider=found[0].name, connection_config=named))
    assert set(made.get("placeholders", {})) <= set(named)


def test_all_that_a_name_means_is_in_the_catalogue():
    """Every name of another system leads to an entry of ours, and every host fits it."""
    ours = {name for table in NAMES.values() for name in table.values()}
    assert {name for name in ours if CATALOGUE.get(name) is None} == set()
    for (system, theirs), host in HOSTS.items():
        entry = CATALOGUE[NAMES[system].get(theirs, theirs)]
        assert re.fullmatch(entry.host_pattern or "", host), (system, theirs)
