"""`POST /v1/signals/{provider}`: a provider's own notice that a grant may have ended (RFC 8935)."""

from __future__ import annotations

from refresher.exchange.jwks import KeysUnavailable
from refresher.rules.signals import BadSignal
from refresher.signals import receive
from refresher.web.open import Open, OpenRoute
from refresher.web.problems import Problem
from refresher.web.state import State

MAX_BYTES = 65_536


def take(state: State, given: Open) -> None:
    """Takes a notice; the same one again does nothing and is as good."""
    services = state.services
    source = services.catalogue.signals.get(given.path["provider"])
    if source is None:
        raise Problem("not_found", "no [signals] table of the providers file has this name")
    try:
        receive(services, state.key_sets, source, given.headers, given.body)
    except BadSignal as bad:
        raise Problem("invalid_signal" if bad.genuine else "signal_unverified", f"{bad}") from None
    except KeysUnavailable:
        sentence = "the keys of its sender cannot be had at the moment: send it again"
        raise Problem("keys_unavailable", sentence, retry_after_seconds=60.0) from None


OPEN = (
    OpenRoute(
        "/v1/signals/{provider}",
        take,
        MAX_BYTES,
        "Take a provider's notice",
        "For providers: a security event token (RFC 8935), or a notice signed as the [signals] table "
        "of the providers file says. The same one again does nothing and is as good.",
        {202: None},
        {"application/secevent+jwt": None, "application/json": None},
        ("not_found", "invalid_signal", "signal_unverified", "keys_unavailable"),
        ("outside",),
    ),
)
