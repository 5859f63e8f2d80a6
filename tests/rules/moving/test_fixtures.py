"""Fixtures of Django become rows: entries that belong together are put together."""

from typing import Any

import pytest

from refresher.errors import InvalidConnection
from refresher.rules.moving import System
from refresher.rules.moving.fixtures import Fixture, is_entry
from tests.rules.moving.rows import ROWS
from tests.rules.moving.test_mover import line

P, D = System.PYTHON_SOCIAL_AUTH, System.DJANGO_ALLAUTH


def test_a_fixture_of_django():
    """Entries of `dumpdata` become rows: a token gets its account's fields, the rest is passed over."""
    fixture = Fixture()
    entries: list[tuple[str, Any, dict[str, Any]]] = [
        ("auth.user", 5, {"username": "ann"}),
        ("socialaccount.socialapp", 1, {"provider": "google", "client_id": "c1"}),
        ("socialaccount.socialaccount", 2, {"user": ["ann"], "provider": "google", "uid": "1042"}),
    ]
    for model, key, fields in entries:
        assert fixture.row({"model": model, "pk": key, "fields": fields}) is None
    token = {"app": 1, "account": 2, "token": "at", "token_secret": "rt", "expires_at": None}
    made = fixture.row({"model": "socialaccount.socialtoken", "pk": 3, "fields": token})
    assert made is not None
    assert line(D, made) | {"metadata": {}} == {
        "organization_id": "ann", "provider": "google", "external_id": "1042",
        "access_token": "at", "refresh_token": "rt", "metadata": {},
    }  # fmt: skip
    social = {"model": "social_django.usersocialauth", "pk": 1, "fields": {**ROWS[P], "user": 5}}
    assert is_entry(social)
    assert fixture.row(social) == {**ROWS[P], "user": 5}
    with pytest.raises(InvalidConnection, match="its account does not stand before it"):
        fixture.row(
            {"model": "socialaccount.socialtoken", "pk": 3, "fields": {**token, "account": 9}}
        )
    with pytest.raises(InvalidConnection, match="its fields are no object"):
        fixture.row({"model": "auth.user", "pk": 1, "fields": []})
    assert not is_entry(["model"])
