"""The Starlette application: which path is answered by what, over one provider's state.

No behaviour here. It needs a server that reports its sockets to `state.connections`
(`background.py`), because several faults close them.
"""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from refresher.devkit.oauth_server.admin_routes import AdminRoutes
from refresher.devkit.oauth_server.decision import GRANTS_SERVED
from refresher.devkit.oauth_server.reading import Mistake
from refresher.devkit.oauth_server.state import ProviderState
from refresher.devkit.oauth_server.token_endpoint import TokenEndpoint
from refresher.devkit.oauth_server.token_routes import TokenRoutes, json_response


def build_app(state: ProviderState) -> Starlette:
    """Returns the application; token endpoints come first because they carry the traffic."""
    return Starlette(
        routes=[*_token_routes(state), *_admin_routes(state)],
        exception_handlers={Mistake: _mistake},
    )


def _token_routes(state: ProviderState) -> list[Route]:
    endpoint, others = TokenEndpoint(state), TokenRoutes(state)
    methods = {"/token": ["POST"], "/refresh_access_token": ["GET"]}
    return [
        *(
            Route(path, endpoint, methods=methods.get(path, ["GET", "POST"]), name=path)
            for path in GRANTS_SERVED
        ),
        Route("/resource", others.resource),
        Route("/introspect", others.introspect, methods=["POST"]),
        Route("/revoke", others.revoke, methods=["POST"]),
        Route("/elsewhere", _elsewhere, methods=["GET", "POST"]),
    ]


def _admin_routes(state: ProviderState) -> list[Route]:
    admin = AdminRoutes(state)
    return [
        Route("/admin/options", admin.show_options),
        Route("/admin/options", admin.change_options, methods=["PATCH"]),
        Route("/admin/faults", admin.show_faults),
        Route("/admin/faults", admin.add_fault, methods=["POST"]),
        Route("/admin/faults", admin.clear_faults, methods=["DELETE"]),
        Route("/admin/grants", admin.make_grants, methods=["POST"]),
        Route("/admin/client", admin.set_client, methods=["POST"]),
        Route("/admin/revoke", admin.withdraw, methods=["POST"]),
        Route("/admin/clock", admin.advance_clock, methods=["POST"]),
        Route("/admin/check", admin.check_tokens, methods=["POST"]),
        Route("/admin/ledger/summary", admin.ledger_summary),
        Route("/admin/ledger/grants", admin.ledger_grants),
    ]


async def _elsewhere(_: Request) -> Response:
    """Answers who followed a redirect: a page, never a token."""
    return Response("nothing here gives tokens", 404, media_type="text/plain")


async def _mistake(_: Request, mistake: Exception) -> Response:
    return json_response({"error": str(mistake)}, 400)
