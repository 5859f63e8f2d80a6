"""`GET /health`, `GET /health/status` and `GET /metrics`: who may see them, and where.

`/health` is for probes and tells nothing but that. The other two tell about the whole deployment: they
stand on the port of the health page, which is nobody's but the platform's, and on the API's port only
for who brings REFRESHER_STATUS_TOKEN. REFRESHER_STATUS_PORT moves them to a port of their own.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from refresher.runtime.health import Probe
from refresher.settings import Settings

Page = Callable[[Request], Response]
ELSEWHERE = (
    "not on this port: REFRESHER_STATUS_TOKEN opens this page here to who brings it, and "
    "REFRESHER_STATUS_PORT gives it a port of its own\n"
)


def of_port(probe: Probe, settings: Settings) -> list[Route]:
    """Returns the pages that stand on PORT, beside the API or alone."""
    return [Route("/health", _health(probe)), *_inner(probe, settings, at_port=True)]


def of_status_port(probe: Probe, settings: Settings) -> list[Route]:
    """Returns the pages that stand on REFRESHER_STATUS_PORT."""
    return [Route("/health", _health(probe)), *_inner(probe, settings, at_port=False)]


def _inner(probe: Probe, settings: Settings, *, at_port: bool) -> list[Route]:
    pages: dict[str, Page] = {"/health/status": _status(probe), "/metrics": _metrics(probe)}
    token = settings.status_token and settings.status_token.get_secret_value()
    moved = at_port and settings.status_port != 0
    public = at_port and probe.role == "web" and token is None
    if moved or public:
        return [Route(path, _elsewhere) for path in pages]
    return [Route(path, _guarded(page, token) if token else page) for path, page in pages.items()]


def _health(probe: Probe) -> Callable[[Request], object]:
    async def health(_request: Request) -> JSONResponse:
        # On the event loop, for it waits for nothing: threads may all be waiting for Postgres.
        faults = probe.faults()
        return JSONResponse({"ok": not faults, "faults": faults}, 500 if faults else 200)

    return health


def _status(probe: Probe) -> Page:
    def status(_request: Request) -> Response:
        answer = probe.status()
        return JSONResponse(answer, 200 if answer["ok"] else 500)

    return status


def _metrics(probe: Probe) -> Page:
    def metrics(request: Request) -> Response:
        made = probe.scrape(request.headers.get("accept", ""))
        if made is None:
            return PlainTextResponse("REFRESHER_METRICS is false: nothing is counted\n", 404)
        return Response(made[0], media_type=None, headers={"content-type": made[1]})

    return metrics


def _guarded(page: Page, token: str) -> Page:
    """Returns a page that answers to `Authorization: Bearer <token>` alone."""
    wanted = f"Bearer {token}".encode()

    def guarded(request: Request) -> Response:
        given = request.headers.get("authorization", "").encode("latin-1")
        if hmac.compare_digest(given, wanted):
            return page(request)
        return PlainTextResponse(
            "Authorization: Bearer and the REFRESHER_STATUS_TOKEN are needed\n",
            401,
            headers={"www-authenticate": "Bearer"},
        )

    return guarded


def _elsewhere(_request: Request) -> Response:
    return PlainTextResponse(ELSEWHERE, 404)
