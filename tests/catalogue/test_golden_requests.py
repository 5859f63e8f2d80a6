"""The exact request that each provider gets, written out: what a change of data must not alter."""

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from refresher.rules.placeholders import UnbuildableRequest
from refresher.rules.providers import BodyForm
from tests.catalogue.samples import CATALOGUE, request_for

BASIC = "Basic " + b64encode(b"an-id:app-secret").decode()
GRANT = {"grant_type": "refresh_token", "refresh_token": "old-refresh"}
APP = {"client_id": "an-id", "client_secret": "app-secret"}


@dataclass(frozen=True)
class Golden:
    """One provider's request; `basic` tells whether the app stands in the header."""

    name: str
    url: str
    parameters: dict[str, str]
    basic: bool = False
    body: BodyForm = BodyForm.FORM
    method: str = "POST"
    host: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


GOLDEN = (
    Golden(
        "threads",
        "https://graph.threads.net/refresh_access_token",
        {"grant_type": "th_refresh_token", "access_token": "old-access"},
        body=BodyForm.QUERY,
        method="GET",
    ),
    Golden(
        "instagram",
        "https://graph.instagram.com/refresh_access_token",
        {"grant_type": "ig_refresh_token", "access_token": "old-access"},
        body=BodyForm.QUERY,
        method="GET",
    ),
    Golden(
        "facebook",
        "https://graph.facebook.com/v25.0/oauth/access_token",
        {"grant_type": "fb_exchange_token", "fb_exchange_token": "old-access", **APP},
        body=BodyForm.QUERY,
        method="GET",
    ),
    Golden("linkedin", "https://www.linkedin.com/oauth/v2/accessToken", {**GRANT, **APP}),
    Golden(
        "tiktok",
        "https://open.tiktokapis.com/v2/oauth/token/",
        {**GRANT, "client_key": "an-id", "client_secret": "app-secret"},
    ),
    Golden("google", "https://oauth2.googleapis.com/token", {**GRANT, **APP}),
    Golden("youtube", "https://oauth2.googleapis.com/token", {**GRANT, **APP}),
    Golden("x", "https://api.x.com/2/oauth2/token", GRANT, basic=True),
    Golden(
        "microsoft",
        "https://login.microsoftonline.com/common/oauth2/v2.0/token",
        {**GRANT, **APP},
    ),
    Golden(
        "microsoft",
        "https://login.microsoftonline.com/contoso.onmicrosoft.com/oauth2/v2.0/token",
        {**GRANT, **APP},
        host="contoso.onmicrosoft.com",
    ),
    Golden("slack", "https://slack.com/api/oauth.v2.access", {**GRANT, **APP}),
    Golden("github", "https://github.com/login/oauth/access_token", {**GRANT, **APP}),
    Golden("hubspot", "https://api.hubapi.com/oauth/v3/token", {**GRANT, **APP}),
    Golden(
        "quickbooks",
        "https://oauth.platform.intuit.com/oauth2/v1/tokens/bearer",
        GRANT,
        basic=True,
        headers={"x-include-refresh-token-hard-expires-in": "true"},
    ),
    Golden("xero", "https://identity.xero.com/connect/token", GRANT, basic=True),
    Golden(
        "salesforce",
        "https://acme--dev.sandbox.my.salesforce.com/services/oauth2/token",
        {**GRANT, **APP},
        host="acme--dev.sandbox.my.salesforce.com",
    ),
    Golden(
        "notion", "https://api.notion.com/v1/oauth/token", GRANT, basic=True, body=BodyForm.JSON
    ),
    Golden(
        "atlassian",
        "https://auth.atlassian.com/oauth/token",
        {**GRANT, **APP},
        body=BodyForm.JSON,
    ),
    Golden(
        "shopify",
        "https://acme.myshopify.com/admin/oauth/access_token",
        {**GRANT, **APP, "expiring": "1"},
        host="acme.myshopify.com",
    ),
)


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda golden: golden.name)
def test_the_request_is_exactly_this(golden: Golden):
    """Method, URL, headers, parameter names and values, and where they travel are as documented."""
    # When
    request = request_for(CATALOGUE[golden.name], golden.host)

    # Then
    assert (request.method, request.url) == (golden.method, golden.url)
    assert dict(request.parameters) == golden.parameters
    assert request.body is golden.body
    assert dict(request.headers) == {
        "Accept": "application/json",
        **({"Authorization": BASIC} if golden.basic else {}),
        **golden.headers,
    }


HOSTS = (
    ("microsoft", "organizations", True),
    ("microsoft", "8eaef023-2b34-4da1-9baa-8bc8c9d6a490", True),
    ("microsoft", "tenant", False),
    ("microsoft", "common/../evil", False),
    ("salesforce", "login.salesforce.com", True),
    ("salesforce", "test.salesforce.com", True),
    ("salesforce", "acme.my.salesforce.com.evil.example", False),
    ("salesforce", "evil.example/.my.salesforce.com", False),
    ("salesforce", "my.salesforce.com", False),
    ("salesforce", "acme.my.site.com", True),
    ("shopify", "acme-2.myshopify.com", True),
    ("shopify", "evil-myshopify.com", False),
    ("shopify", "acme.myshopify.com@evil.example", False),
    ("gitlab", "gitlab.com", True),
    ("gitlab", "gitlab.evil.example", False),
    ("zoho", "accounts.zoho.com.au", True),
    ("zoho", "accounts.zoho.evil", False),
    ("exact-online", "start.exactonline.co.uk", True),
    ("exact-online", "start-exactonline.nl", False),
)


@pytest.mark.parametrize(("name", "host", "allowed"), HOSTS)
def test_only_the_provider_s_own_hosts_are_sent_to(name: str, host: str, allowed: bool):
    """A stored row cannot direct a refresh token to a server that is not the provider's."""
    if allowed:
        assert host in request_for(CATALOGUE[name], host).url
        return
    with pytest.raises(UnbuildableRequest, match="does not match"):
        request_for(CATALOGUE[name], host)
