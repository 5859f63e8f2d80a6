"""The redirect URI: one text for each authorization server, and what providers take for one."""

import pytest

from refresher.rules.clients import ClientCredentials
from refresher.rules.consent import Consent, Identity
from refresher.rules.providers import Provider
from refresher.rules.redirects import fault, public_url_fault, redirect_uri, slug

ANY = r"[a-z0-9-]+(\.[a-z0-9-]+)+"


def provider(rule: str | None = None, **given: str) -> Provider:
    """Returns an entry."""
    identity = Identity(found_in=("answer",), paths=(("id",),))
    consent = None if rule is None else Consent(identity=identity, redirect_rule=rule)  # type: ignore[arg-type]
    known = {"authorize_url": "https://acme.example/authorize", **given}
    return Provider("acme", "https://acme.example/token", connect=consent, **known)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "host", "same"),
    [
        ({}, None, True),
        ({}, "acme.example", True),
        ({"authorize_url": "https://{host}/a", "host_pattern": ANY}, None, True),
        (
            {"authorize_url": "https://{host}/a", "host_pattern": r"[a-z]+\.acme\.example"},
            "x",
            True,
        ),
        ({"authorize_url": "https://{host}.acme.example/a", "host_pattern": ANY}, "x", True),
        ({"authorize_url": "https://login.example/{host}/a", "host_pattern": ANY}, "x", True),
        ({"authorize_url": "https://{host}/a"}, "x", True),
        ({"authorize_url": "https://{host}/a", "host_pattern": ANY}, "a.example", False),
    ],
)
def test_anybodys_server_has_a_slug_of_its_own(
    given: dict[str, str], host: str | None, *, same: bool
) -> None:
    """Where the pattern lets any server in, one cannot have the code of another sent to it."""
    made = slug(provider(**given), host)
    assert (made == "acme") == same
    if not same:
        assert made == slug(provider(**given), "A.example") != slug(provider(**given), "b.example")


def test_the_app_may_bring_its_own() -> None:
    """An address of the customer's that leads to us; else ours."""
    ours = redirect_uri("https://refresher.example/", "acme")
    assert ours == "https://refresher.example/connect/callback/acme"
    app = ClientCredentials("id", None, placeholders={"redirect_uri": "https://old.example/cb"})
    assert redirect_uri("https://refresher.example", "acme", app) == "https://old.example/cb"
    assert redirect_uri("https://r.example", "acme", ClientCredentials("id", None)).startswith(
        "https://r.example/"
    )


@pytest.mark.parametrize(
    ("rule", "uri", "said"),
    [
        (None, "http://localhost:8080/x", None),
        ("loopback_http", "http://localhost:8080/x", None),
        ("https", "http://127.0.0.1:8080/x", "https://"),
        ("https", "https://refresher.example/x", None),
        ("loopback_ip", "http://localhost:8080/x", "127.0.0.1"),
        ("loopback_ip", "http://127.0.0.1:8080/x", None),
        ("loopback_ip", "https://refresher.example/x", None),
    ],
)
def test_providers_have_rules(rule: str | None, uri: str, said: str | None) -> None:
    """Https alone, or a loopback by its address."""
    told = fault(provider(rule), uri)
    assert told is None if said is None else said in (told or "")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("https://refresher.example", None),
        ("http://127.0.0.1:8080", None),
        ("http://localhost", None),
        (None, "not set"),
        ("http://refresher.example", "https://"),
    ],
)
def test_people_come_back_by_https(url: str | None, said: str | None) -> None:
    """Or to this very machine."""
    told = public_url_fault(url)
    assert told is None if said is None else said in (told or "")
