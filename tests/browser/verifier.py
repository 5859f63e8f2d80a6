"""What an application keeps of each session in its user's own: a verifier (docs/connect.md)."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from refresher.rules.connect import s256


@dataclass(frozen=True)
class Verifier:
    """A fresh one; `challenge` is what the session is made with."""

    text: str = field(default_factory=lambda: secrets.token_urlsafe(32))

    @property
    def challenge(self) -> str:
        """Its S256."""
        return s256(self.text)
