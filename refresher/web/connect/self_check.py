"""Answers `refresher doctor`: whether the public URL leads here, and what a proxy leaves of a request.

The proof: `insight/self_check.py`.
"""

from __future__ import annotations

import re

from starlette.responses import Response

from refresher.insight.self_check import COOKIE, proofs
from refresher.runtime.cipher import Cipher
from refresher.web.connect.gate import Visitor
from refresher.web.connect.pages import document

NONCE = re.compile(r"[0-9a-f]{32}")


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
