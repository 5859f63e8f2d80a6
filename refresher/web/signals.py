"""`POST /v1/signals/{provider}`: a provider's own notice that a grant may have ended (RFC 8935)."""

from __future__ import annotations

from refresher.connections.provider_signals import receive
from refresher.outbound.key_sets import KeysUnavailable, KeysWanted
from refresher.rules.signals import BadSignal, SignalSource
from refresher.web.open import Open, OpenRoute
from refresher.web.problems import Problem
from refresher.web.state import State

MAX_BYTES = 65_536


async def take(state: State, given: Open) -> None:
    """Takes a notice; the same one again does nothing and is as good."""
    source = state.services.catalogue.signals.get(given.path["provider"])
    if source is None:
        raise Problem("not_found", "no [signals] table of the providers file has this name")
    try:
        try:
            await state.in_thread(_receive, state, source, given)
        except KeysWanted as wanted:
            await state.outside.run(f"keys {wanted.url}", state.key_sets.fetch, wanted.url)
            await state.in_thread(_receive, state, source, given)
    except BadSignal as bad:
        raise Problem("invalid_signal" if bad.genuine else "signal_unverified", f"{bad}") from None
    except (KeysUnavailable, KeysWanted):
        sentence = "the keys of its sender cannot be had at the moment: send it again"
        raise Problem("keys_unavailable", sentence, retry_after_seconds=60.0) from None


def _receive(state: State, source: SignalSource, given: Open) -> None:
    receive(state.services, state.key_sets, source, given.headers, given.body)


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
        (
            "not_found",
            "invalid_signal",
            "signal_unverified",
            "too_many_waiting",
            "keys_unavailable",
        ),
        ("outside",),
    ),
)
