"""`POST /v1/signals/{provider}`: a provider's own notice that a grant may have ended (RFC 8935)."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path
from starlette.responses import Response

from refresher.connections.provider_signals import receive
from refresher.outbound.key_sets import KeysUnavailable, KeysWanted
from refresher.rules.signals import BadSignal, SignalSource
from refresher.web.dependencies import with_problems
from refresher.web.problems import Problem
from refresher.web.routes import NO_STORE
from refresher.web.visits import OpenRoute, Visit, Visited


class SignalRoute(OpenRoute):
    """Takes notices of 64 KiB."""

    most_bytes = 65_536


router = APIRouter(prefix="/v1/signals", tags=["outside"], route_class=SignalRoute)
EXTRA: dict[str, Any] = {
    "requestBody": {
        "required": False,
        "content": {"application/secevent+jwt": {}, "application/json": {}},
    },
    **with_problems(
        "not_found", "invalid_signal", "signal_unverified", "too_many_waiting", "keys_unavailable"
    ),
}


@router.post(
    "/{provider}",
    status_code=202,
    response_description="Taken; the answer is empty.",
    openapi_extra=EXTRA,
)
async def take_signal(
    visit: Visited, provider: Annotated[str, Path(json_schema_extra={"minLength": 1})]
) -> Response:
    """Take a provider's notice.

    For providers: a security event token (RFC 8935), or a notice signed as the [signals] table of the
    providers file says. The same one again does nothing and is as good.
    """
    state = visit.state
    source = state.services.catalogue.signals.get(provider)
    if source is None:
        raise Problem("not_found", "no [signals] table of the providers file has this name")
    try:
        try:
            await state.in_thread(_receive, visit, source)
        except KeysWanted as wanted:
            await state.outside.run(f"keys {wanted.url}", state.key_sets.fetch, wanted.url)
            await state.in_thread(_receive, visit, source)
    except BadSignal as bad:
        raise Problem("invalid_signal" if bad.genuine else "signal_unverified", f"{bad}") from None
    except (KeysUnavailable, KeysWanted):
        sentence = "the keys of its sender cannot be had at the moment: send it again"
        raise Problem("keys_unavailable", sentence, retry_after_seconds=60.0) from None
    return Response(b"", 202, NO_STORE)


def _receive(visit: Visit, source: SignalSource) -> None:
    receive(visit.state.services, visit.state.key_sets, source, visit.headers, visit.body)
