"""Where people may be sent back to: texts that are equal, and nothing that only looks alike."""

import pytest

from refresher.rules.connect import Finish
from refresher.rules.return_urls import entry_fault, fault, list_fault, origins_of, with_answer

PAGE = Finish.PAGE
OPERATOR = (
    "https://app.example/settings",
    "https://app.example/",
    "http://127.0.0.1:8000/done",
    "com.acme.app:/connected",
)
OWN = ("https://app.example/orgs/7", "https://gone.example/page")


@pytest.mark.parametrize(
    "url",
    [
        "https://app.example/settings",
        "https://app.example/settings?tab=mail&x=%2F",
        "https://app.example/?a",
        "http://127.0.0.1:8000/done",
        "https://app.example/orgs/7?to=/x",
    ],
)
def test_what_is_listed_is_taken(url: str) -> None:
    """With any query."""
    assert fault(url, PAGE, OPERATOR, OWN) is None


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("https://app.example/other", "none of"),
        ("https://app.example/settings/", "none of"),
        ("https://app.example/settingss", "none of"),
        ("https://app.example/settings/../admin", "none of"),
        ("https://app.example/settings;x", "none of"),
        ("https://app.example", "none of"),
        ("https://app.example.evil.example/settings", "none of"),
        ("https://evil-app.example/settings", "none of"),
        ("https://APP.example/settings", "none of"),
        ("HTTPS://app.example/settings", "none of"),
        ("http://app.example/settings", "none of"),
        ("https://app.example:443/settings", "none of"),
        ("https://app.example:8443/settings", "none of"),
        ("https://app.example./settings", "none of"),
        ("https://app.example//settings", "none of"),
        ("//app.example/settings", "none of"),
        ("/settings", "none of"),
        ("", "none of"),
        ("https:app.example/settings", "none of"),
        ("https:///app.example/settings", "none of"),
        ("javascript:alert(1)", "none of"),
        ("data:text/html,x", "none of"),
        ("https://gone.example/page", "none of"),
        ("https://app.example/%73ettings", "none of"),
        ("https://app.example@evil.example/settings", "no @"),
        ("https://evil.example@app.example/settings", "no @"),
        ("https://app.example%2eevil.example/settings", "no %"),
        ("https://app.example/settings#token", "fragment"),
        ("https://app.example/settings?a#b", "fragment"),
        ("https://app.example\\@evil.example/settings", "character"),
        ("https://app.example/settings?a b", "character"),
        ("https://app.example/settings?\r\nSet-Cookie:x", "character"),
        ("https://app.example/settings\t", "character"),
        ("https://äpp.example/settings", "character"),
        ("https://app.example:port/settings", "no URL"),
        ("https://[::1/settings", "no URL"),
        ("https://app.example/settings?" + "x" * 2_000, "longer"),
        ("com.acme.app:/connected", "application"),
    ],
)
def test_nothing_else_is_taken(url: str, why: str) -> None:
    r"""Another path, a host's suffix, a port, user info, `//`, `\`, a fragment, the prefix of one."""
    told = fault(url, PAGE, OPERATOR, OWN)
    assert told is not None
    assert why in told


def test_a_scheme_of_an_application_is_for_who_confirms() -> None:
    """Schemes can be stolen: only where the application has the last word."""
    assert fault("com.acme.app:/connected?x=1", Finish.APPLICATION, OPERATOR) is None
    assert fault("com.acme.app:/other", Finish.APPLICATION, OPERATOR) is not None


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        ("https://app.example/settings", None),
        ("http://localhost:3000/", None),
        ("com.acme.app:/connected", None),
        ("com.acme.app://connected", None),
        ("acme:/connected", "https://"),
        ("javascript:alert(1)", "https://"),
        ("http://app.example/", "https://"),
        ("https:///x", "name a server"),
        ("https://app.example", "name a page"),
        ("https://app.example/x?a=b", "query"),
        ("https://app.example/x#a", "fragment"),
        ("https://*.example/x y", "character"),
    ],
)
def test_an_entry_of_the_operator(entry: str, why: str | None) -> None:
    """A page of https, of this machine, or of an application that has its domain for a scheme."""
    told = entry_fault(entry)
    assert told is None if why is None else why in (told or "")


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        ("https://app.example/orgs/7", None),
        ("https://other.example/", "origin"),
        ("https://app.example:444/", "origin"),
        ("com.acme.app:/connected", "https://"),
    ],
)
def test_an_entry_of_an_organization(entry: str, why: str | None) -> None:
    """Only within the operator's origins, and never a scheme."""
    told = entry_fault(entry, origins_of(OPERATOR))
    assert told is None if why is None else why in (told or "")


def test_an_answer_stands_behind_what_the_url_has() -> None:
    """The application's own query stays as it is."""
    assert with_answer("https://a.example/x", {"a": "1 &"}) == "https://a.example/x?a=1+%26"
    assert with_answer("https://a.example/x?b=%2F", {"a": "1"}) == "https://a.example/x?b=%2F&a=1"


def test_a_list_of_an_organization_has_its_first_fault_told() -> None:
    """By the entry that it is about."""
    assert list_fault(["https://app.example/a"], OPERATOR) is None
    told = list_fault(["https://app.example/a", "https://x.example/"], OPERATOR)
    assert told is not None
    assert told.startswith("https://x.example/ must be on an origin")
