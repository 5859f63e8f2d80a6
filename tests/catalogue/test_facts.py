"""What an entry keeps for people: how it is written, how mistakes are told, how it is shown."""

from __future__ import annotations

from datetime import date

import pytest

from refresher.catalogue import describe
from refresher.rules.facts import Change
from tests.catalogue.conftest import ACME, Fault, Load

EVERYTHING = """
category = "crm"
authorize_url = "https://{host}/authorize"
pkce = "required"
authorize_parameters = { access_type = "offline" }
default_scopes = ["offline_access"]
identity_url = "https://{host}/me"
identity_field = ["data", 0, "id"]
introspection_url = "https://acme.example/introspect"
app_url = "https://acme.example/apps"
changes = [{ on = 2027-02-16, what = "Version 1 ends.", url = "https://acme.example/news" }]
"""
HOSTED = """[providers.acme]
token_url = "https://{host}/token"
host_pattern = '[a-z]+\\.acme\\.example'
"""
CHANGE = 'changes = [{ on = 2027-02-16, what = "Ends.", url = "https://acme.example" }]'


def test_every_fact_is_read_and_shown(load_text: Load):
    """Facts are plain values in the entry and in what `providers show` prints."""
    acme = load_text(HOSTED + EVERYTHING)["acme"]
    assert acme.identity_field == ("data", 0, "id")
    what, url = "Version 1 ends.", "https://acme.example/news"
    assert acme.changes == (Change(date(2027, 2, 16), what, url),)
    shown = describe(acme)
    assert shown["changes"] == [{"on": "2027-02-16", "what": what, "url": url}]
    assert shown["pkce"] == "required"
    assert list(shown)[:2] == ["name", "token_url"]


def test_the_field_of_the_account_may_be_one_name(load_text: Load):
    """`"sub"` is a way of one step."""
    assert load_text(ACME + 'identity_field = "sub"')["acme"].identity_field == ("sub",)


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ('category = "acounting"', 'must be one of "accounting"'),
        ('pkce = "yes"', 'pkce is "yes", but must be one of "required", "supported", "no"'),
        ('authorize_url = "http://acme.example"', "authorize_url must begin with https://"),
        ('authorize_url = "https://{tenant}.acme.example"', "{tenant}, which is not declared"),
        ('app_url = "https://{host}/apps"', "app_url has {host}, but host_pattern is missing"),
        ('identity_url = "https://u:p@acme.example"', "must not hold a user or a password"),
        ('identity_url = "https://acme.example/me"', "identity_field is missing"),
        (
            'authorize_parameters = { state = "x" }',
            "authorize_parameters must not hold state: it is made anew for each consent",
        ),
        (CHANGE.replace("2027-02-16", '"soon"'), "changes.on must be a date such as 2026-11-22"),
        (CHANGE.replace('what = "Ends.", ', ""), "changes.what is missing"),
        (CHANGE.replace("what", "why"), 'no field "changes.why"'),
        (CHANGE.replace("https://", ""), 'changes has "acme.example", which is no link'),
        ('changes = ["soon"]', "changes, item 1, must be a table of texts"),
    ],
)
def test_each_mistake_has_its_sentence(fault: Fault, line: str, sentence: str):
    """It names the field, and what to do."""
    assert sentence in fault(ACME + line)
