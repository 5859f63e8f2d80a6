"""What is told of a connect session, and of whether a provider's accounts can be connected."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import UTC, datetime
from uuid import UUID

import pytest

from refresher.rules.connect import (
    Finish,
    Problem,
    Result,
    Session,
    State,
    Trouble,
)
from refresher.rules.connect_view import connecting, view
from refresher.rules.consent import Consent, Identity
from refresher.rules.providers import Provider
from tests.rules.sessions import SESSION

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
OPEN = replace(
    SESSION,
    id=UUID(int=1),
    finish=Finish.APPLICATION,
    scopes=("read",),
    created_at=NOON,
    expires_at=NOON,
    link_hash=b"hash-of-the-link",
    finish_challenge="challenge",
)


def test_what_could_open_a_session_is_not_told() -> None:
    """No hash, no challenge, nothing sealed: neither as a field nor within one."""
    told = str(asdict(view(OPEN)))
    assert "hash" not in told
    assert "challenge" not in told
    assert "held" not in asdict(view(OPEN))


@pytest.mark.parametrize(
    ("session", "told"),
    [
        (OPEN, {"problem": None, "account": None, "granted_scopes": None, "missing_scopes": ()}),
        (
            replace(OPEN, trouble=Trouble(Problem.DENIED, "access_denied")),
            {
                "problem": {"code": Problem.DENIED, "sentence": "access_denied"},
                "missing_scopes": (),
            },
        ),
        (
            replace(OPEN, trouble=Trouble(Problem.SCOPE_MISSING, "no", {"missing_scopes": ["a"]})),
            {"missing_scopes": ["a"]},
        ),
        (
            replace(OPEN, result=Result("17", "ann@acme.example", ("read",), ("write",))),
            {
                "account": "ann@acme.example",
                "granted_scopes": ("read",),
                "missing_scopes": ("write",),
            },
        ),
        (replace(OPEN, result=Result("17")), {"account": "17"}),
        (replace(OPEN, result=Result()), {"account": None}),
        (replace(OPEN, state=State.HELD), {"waits_for_application": False}),
        (replace(OPEN, state=State.HELD, ready_at=NOON), {"waits_for_application": True}),
    ],
)
def test_what_came_of_it_is_told(session: Session, told: dict[str, object]) -> None:
    """The last problem, the account as people call it, what was granted, and who is waited for."""
    seen = asdict(view(session))
    assert {name: seen[name] for name in told} == told


CONSENT = Consent(identity=Identity(found_in=("answer",), paths=(("id",),)), scopes=("profile",))
ACME = Provider(
    name="acme",
    token_url="https://acme.example/token",
    authorize_url="https://acme.example/authorize",
    connect=CONSENT,
)
PUBLIC = "https://refresher.example"


@pytest.mark.parametrize(
    ("provider", "public_url", "is_on", "has_app", "why"),
    [
        (ACME, PUBLIC, True, True, None),
        (replace(ACME, connect=None), PUBLIC, True, True, "no [connect]"),
        (ACME, PUBLIC, False, True, "REFRESHER_CONNECT is false"),
        (ACME, None, True, True, "REFRESHER_PUBLIC_URL"),
        (ACME, "http://refresher.example", True, True, "REFRESHER_PUBLIC_URL"),
        (
            replace(ACME, connect=replace(CONSENT, redirect_rule="https")),
            "http://127.0.0.1:8000",
            True,
            True,
            "https://",
        ),
        (ACME, PUBLIC, True, False, "refresher apps set acme"),
    ],
)
def test_why_nobody_can_connect(
    provider: Provider, public_url: str | None, is_on: bool, has_app: bool, why: str | None
) -> None:
    """The entry, the switch, the address, the provider's rule for it, the app: the first that fails."""
    told = connecting(provider, public_url, is_on=is_on, has_app=has_app)
    assert told.possible is (why is None)
    assert why is None or why in str(told.why_not)
    known = provider.connect is not None and public_url is not None
    assert (told.redirect_uri is not None) is known
    assert told.scopes == (("profile",) if provider.connect else ())
