"""What is kept of a consent is the same when it is read again, in whatever process."""

from __future__ import annotations

import pytest

from refresher.rules.accounts import Account
from refresher.rules.connection import Reply
from refresher.rules.held import Held

FIRST = Reply(200, {"content-type": "application/json"}, b'{"access_token": "at"}\xff')


@pytest.mark.parametrize(
    "held",
    [
        Held(FIRST),
        Held(
            FIRST,
            asked=("a", "b"),
            host="eu.example",
            nonce_hash=b"\x00\xff",
            callback={"realmId": "7"},
            second=Reply(200, {}, b"{}"),
            account=Account("7", "Ann"),
            userinfo=True,
        ),
    ],
)
def test_what_is_kept_is_read_as_it_was(held: Held):
    """Bytes of the answer as they came; nothing of it in a `repr`."""
    assert Held.of(held.text()) == held
    assert "at" not in repr(held).split("account")[0].replace("status", "")
