"""What is kept of a consent until it is a connection: the whole answer, and what is needed to judge it.

It is one JSON text, sealed in the session's row: whoever finds it there can go on, in any process. What
steps after the code brought is kept in it too, so that none is asked for more often than needed.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import field
from typing import Any

from refresher.rules.accounts import Account
from refresher.rules.connection import Reply, Secret, value


@value
class Held:
    """The answer to a code, and to the second step; `host` is where the code went.

    `asked`: the scopes. `callback`: what is needed of it. `userinfo`: whether that was asked already,
    whatever came; `account` is what is known by now.
    """

    first: Reply
    asked: tuple[str, ...] = ()
    host: str | None = None
    nonce_hash: bytes | None = field(default=None, repr=False)
    callback: Mapping[str, str] = field(default_factory=dict, repr=False, hash=False)
    second: Reply | None = None
    account: Account | None = None
    userinfo: bool = False

    def text(self) -> Secret:
        """Returns it as one text, to be sealed."""
        account = self.account
        told = {
            "first": _plain(self.first),
            "asked": self.asked,
            "host": self.host,
            "nonce_hash": self.nonce_hash.hex() if self.nonce_hash else None,
            "callback": dict(self.callback),
            "second": _plain(self.second) if self.second else None,
            "account": [account.id, account.label] if account else None,
            "userinfo": self.userinfo,
        }
        return Secret(json.dumps(told))

    @classmethod
    def of(cls, text: Secret) -> Held:
        """Returns what `text` was made of."""
        told: dict[str, Any] = json.loads(text.reveal())
        return cls(
            first=_reply(told["first"]),
            asked=tuple(told["asked"]),
            host=told["host"],
            nonce_hash=bytes.fromhex(told["nonce_hash"]) if told["nonce_hash"] else None,
            callback=told["callback"],
            second=_reply(told["second"]) if told["second"] else None,
            account=Account(*told["account"]) if told["account"] else None,
            userinfo=told["userinfo"],
        )


def _plain(reply: Reply) -> dict[str, object]:
    body = b64encode(reply.body).decode()
    return {"status": reply.status, "headers": dict(reply.headers), "body": body}


def _reply(told: Mapping[str, Any]) -> Reply:
    return Reply(told["status"], told["headers"], b64decode(told["body"]))
