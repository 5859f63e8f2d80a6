"""Whether the public URL leads here: the proof that nobody else's page can give.

It is made of our key, and opens nothing. `web/connect/self_check.py` answers with it.
"""

from __future__ import annotations

from refresher.runtime.cipher import Cipher

PURPOSE = b"refresher connect self check"
COOKIE = "rfc-doctor"


def proofs(cipher: Cipher, nonce: str) -> list[str]:
    """Returns what this installation answers to a nonce: one text for each of its keys."""
    return [proof.hex() for proof in cipher.proofs(PURPOSE, nonce.encode())]
