"""Refreshes tokens of the Shopee Open Platform: HMAC-SHA256 over id, path and time, in the query.

What an entry cannot say: a signature that changes with the clock, and numbers in the body. Shopee's
documentation (https://open.shopee.com) is behind a login; the shape is that of public clients.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from urllib.parse import urlsplit

from refresher.rules.placeholders import UnbuildableRequest
from refresher.rules.plugins import Given, Wanted

DEAD = ("error_auth", "invalid_refresh_token", "refresh_token_expired")
"""Not confirmed by documentation: see what yours answers, and mend it here."""


class Shopee:
    """The app's id is Shopee's partner id, its secret the partner key."""

    def request(self, given: Given) -> Wanted:
        """Returns the signed request for a fresh pair of tokens."""
        if given.client_id is None or given.client_secret is None:
            raise UnbuildableRequest("it needs an app: partner id and partner key")
        if given.refresh_token is None:
            raise UnbuildableRequest("the connection stores no refresh token")
        timestamp = str(int(given.now_epoch_seconds))
        signed = given.client_id + urlsplit(given.url).path + timestamp
        key = given.client_secret.reveal().encode()
        body = {
            "partner_id": _number(given.client_id),
            "shop_id": _number(given.parameters.get("shop_id", "")),
            "refresh_token": given.refresh_token.reveal(),
        }
        return Wanted(
            body=json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
            query={
                "partner_id": given.client_id,
                "timestamp": timestamp,
                "sign": hmac.new(key, signed.encode(), hashlib.sha256).hexdigest(),
            },
        )

    def answer(
        self, _status: int, _headers: Mapping[str, str], body: bytes
    ) -> Mapping[str, object] | None:
        """Returns the answer under the standard's names; its `error` is empty where all is well."""
        try:
            said = json.loads(body)
        except ValueError:
            return None
        if not isinstance(said, dict):
            return None
        error = said.pop("error", None)
        if error:
            said["error"] = "invalid_grant" if error in DEAD else error
            said["error_description"] = said.get("message", "")
        return said


def _number(text: str) -> int | str:
    return int(text) if text.isdigit() else text
