"""What came back from a token endpoint, before anybody knows what it means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from refresher.rules.values import value

UNSENT = "unsent"
"""`Reply.failure` of a request that was never tried."""


@value
class Reply:
    """What came back, or did not: a time-out is a reply, not an exception.

    `failure` names what went wrong on the way (`connect`, `timeout`, `protocol`, `too_large`,
    `unsent` …). With a status beside it, an answer began to arrive and did not come to its end: `body`
    is what was read so far. The body is as it came over the wire, packed or not. `sent` tells whether
    the request may have reached the provider: only then can a rotating refresh token have been spent.
    """

    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    failure: str | None = None
    sent: bool = True
    elapsed_seconds: float = 0.0
