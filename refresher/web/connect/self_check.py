"""Answers `refresher doctor`: whether the public URL leads here, and what a proxy leaves of a request.

The proof is made of our key, so a page of somebody else's cannot give it; it opens nothing.
"""

from __future__ import annotations

import hmac
import re

from starlette.responses import Response

from refresher.runtime.cipher import Cipher
from refresher.web.connect.gate import Visitor
from refresher.web.connect.pages import document

PURPOSE = b"refresher connect self check"
NONCE = re.compile(r"[0-9a-f]{32}")
COOKIE = "rfc-doctor"


def proofs(cipher: Cipher, nonce: str) -> list[str]:
    """Returns what this installation answers to a nonce: one text for each of its keys."""
    keys = cipher.derived(PURPOSE).values()
    return [hmac.digest(key, nonce.encode(), "sha256").hex() for key in keys]


def answer(cipher: Cipher, visitor: Visitor, nonce: str) -> Response:
    """Returns the proof, and what came along."""
    told = document(
        {
            "proof": proofs(cipher, nonce)[0],
            "cookie": visitor.cookies.get(COOKIE) == nonce,
            "proxy_is_trusted": not visitor.is_through_stranger,
        }
    )
    told.headers["cache-control"] = "no-store"
    return told
