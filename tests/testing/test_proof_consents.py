"""The proof finds out each difference between what `[connect]` says and what its provider does."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from refresher.rules.consent import Consent, Identity, SecondStep
from refresher.rules.providers import BodyForm, ClientAuth, Provider, Strategy
from refresher.testing.proof import PROMISES, Stand

ID = Identity(
    found_in=("id_token", "userinfo"),
    paths=(("tenant",), ("user", "id")),
    label_path=("user", "mail"),
    url="https://{host}/graph?fields=id",
    method="POST",
    headers={"X-Token": "{access_token}", "Authorization": "Token {access_token}"},
    body='{"query": "me"}',
)
STEP = SecondStep(
    url="https://{host}/longer",
    method="GET",
    grant_type="longer",
    token_parameter="short",
    parameters={"client_secret": "{client_secret}"},
)
ACME = Provider(
    "acme",
    "https://{host}/token",
    strategy=Strategy.LONG_LIVED_EXCHANGE,
    grant_type="exchange",
    client_auth=ClientAuth.NONE,
    body=BodyForm.QUERY,
    method="GET",
    host_pattern=r"[a-z]+\.acme\.example",
    host_example="eu.acme.example",
    parameter_names={"client_id": "client_key"},
    headers={"X-Version": "2", "X-Token": "{access_token}"},
    query={"v": "2"},
    scope_separator=",",
    authorize_url="https://{host}/authorize?theme=plain",
    authorize_parameters={"audience": "api", "prompt": "consent", "app": "{client_id}"},
    connect=Consent(
        identity=ID,
        scopes=("who",),
        scope_parameter="user_scope",
        other_account={"prompt": "select_account"},
        login_hint="hint",
        pkce_encoding="hex",
        code_url="https://code.acme.example/code",
        code_method="POST",
        code_body=BodyForm.JSON,
        code_client_auth=ClientAuth.BASIC,
        code_grant_type="code",
        code_parameters={"kind": "web"},
        code_answer_path=(("data", 0),),
        second_step=STEP,
        refresh_token="never",
        issuer="https://{host}/{tenant}",
        announces_iss=True,
        keep_from_callback=("realm",),
        host_from_callback="server",
        callback_hmac="hmac",
    ),
)
PLAIN = replace(ACME, connect=Consent(identity=Identity(found_in=("answer",), paths=(("id",),))))
Change = Callable[[Provider], Provider]


def of_consent(**changes: Any) -> Change:
    """What makes an entry whose `[connect]` says something else."""
    return lambda entry: replace(entry, connect=replace(entry.connect, **changes))  # type: ignore[type-var]


def of_entry(**changes: Any) -> Change:
    """What makes an entry that says something else."""
    return lambda entry: replace(entry, **changes)


def told(entry: Provider, change: Change | None = None) -> list[str]:
    """What is found where the server does as the changed entry says, and we as the other."""
    stand = Stand(entry)
    if change is not None:
        stand.manner.entry = change(entry)
    return list(PROMISES["consent"](stand))


@pytest.mark.parametrize("entry", [ACME, PLAIN, replace(ACME, connect=None)])
def test_a_consent_is_played_whatever_it_says(entry: Provider) -> None:
    """Every field of [connect] is understood on both sides; an entry without it promises nothing."""
    assert told(entry) == []


@pytest.mark.parametrize(
    "change",
    [
        of_entry(authorize_url="https://{host}/authorize"),
        of_entry(authorize_parameters={"audience": "api"}),
        of_entry(scope_separator=" "),
        of_entry(parameter_names={}),
        of_entry(pkce="no"),
        of_consent(scope_parameter="scope"),
        of_consent(other_account={}),
        of_consent(login_hint=None),
        of_consent(pkce_encoding="base64url"),
    ],
)
def test_another_authorize_url_is_found_out(change: Change) -> None:
    """Each parameter that is missing, too many or written otherwise is told in a sentence."""
    assert "the authorize URL was not understood" in told(ACME, change)[0]


@pytest.mark.parametrize(
    "change",
    [
        of_entry(headers={"X-Other": "1"}),
        of_entry(query={}),
        of_consent(code_url=None),
        of_consent(code_method="GET", code_body=BodyForm.QUERY),
        of_consent(code_body=BodyForm.FORM),
        of_consent(code_client_auth=ClientAuth.POST),
        of_consent(code_grant_type="authorization_code"),
        of_consent(code_parameters={}),
    ],
)
def test_another_request_with_the_code_is_found_out(change: Change) -> None:
    """So is each difference in the request that sends the code, and where its answer has the tokens."""
    assert "the code was not understood" in told(ACME, change)[0]


@pytest.mark.parametrize(
    "step",
    [
        {"url": "https://{host}/other"},
        {"method": "POST"},
        {"grant_type": "other"},
        {"token_parameter": "access_token"},
        {"parameters": {}},
    ],
)
def test_another_second_step_is_found_out(step: dict[str, Any]) -> None:
    """So is each difference in the request that makes a long-lived token."""
    change = of_consent(second_step=replace(STEP, **step))
    assert "the second step was not understood" in told(ACME, change)[0]


@pytest.mark.parametrize(
    "identity",
    [
        {"found_in": ("userinfo",)},
        {"found_in": ("callback",)},
        {"paths": (("user", "id"),)},
        {"url": "https://{host}/graph"},
        {"method": "GET", "body": None},
        {"headers": {"X-Token": "{access_token}"}},
        {"body": '{"query": "you"}'},
    ],
)
def test_another_place_of_the_account_is_found_out(identity: dict[str, Any]) -> None:
    """So is an account that is told elsewhere, or asked for in another way."""
    change = of_consent(identity=replace(ID, **identity))
    assert any("the account is told as" in sentence for sentence in told(ACME, change))
