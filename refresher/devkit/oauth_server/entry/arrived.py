"""A request as it came over a socket, for what reads it as an entry says."""

from starlette.requests import Request
from starlette.types import Scope

from refresher.devkit.oauth_server.entry.request import Arrived


def places(scope: Scope) -> tuple[str, str]:
    """Returns the host and path that a request may mean: by its Host header, or all in its path."""
    path = scope.get("raw_path", scope["path"].encode()).decode("latin-1")
    host = next((v.decode("latin-1") for k, v in scope["headers"] if k == b"host"), "")
    return host + path, path.removeprefix("/")


async def arrived(request: Request) -> Arrived:
    """Returns a request with all of its body."""
    scope = request.scope
    return Arrived(
        scope["method"],
        places(scope),
        scope["query_string"].decode("latin-1"),
        {k.decode("latin-1"): v.decode("latin-1") for k, v in scope["headers"]},
        await request.body(),
    )
