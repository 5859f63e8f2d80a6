"""The provider behind a real socket: its paths, and the thread that serves them.

One event loop, one thread, one provider; several may run side by side. The command line
(`__main__.py`) uses the same class, so that a test and a demo meet the same server.
"""

import asyncio
import socket
import threading
from typing import Any, Self

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from refresher.devkit.oauth_server.admin import AdminRoutes
from refresher.devkit.oauth_server.client import FakeProviderClient
from refresher.devkit.oauth_server.consent.metadata import MetadataRoutes
from refresher.devkit.oauth_server.consent.routes import ConsentRoutes
from refresher.devkit.oauth_server.decision import GRANTS_SERVED
from refresher.devkit.oauth_server.entry.decision import options_of
from refresher.devkit.oauth_server.entry.manner import Manner
from refresher.devkit.oauth_server.entry.routes import EntryRoutes, local, places_of
from refresher.devkit.oauth_server.options import Mistake, Options
from refresher.devkit.oauth_server.speech import PlainSpeech
from refresher.devkit.oauth_server.state import ProviderState, tracking_protocol
from refresher.devkit.oauth_server.token_endpoint import TokenEndpoint
from refresher.devkit.oauth_server.token_routes import TokenRoutes, json_response
from refresher.rules.providers import Provider


def build_app(state: ProviderState, manner: Manner | None = None) -> ASGIApp:
    """Returns the application; token endpoints come first because they carry the traffic.

    With a `manner`, the entry's own places stand before ours.
    """
    app = Starlette(
        routes=[*_token_routes(state), *_consent_routes(state), *_admin_routes(state)],
        exception_handlers={Mistake: _mistake},
    )
    return app if manner is None else EntryRoutes(manner, state, app)


def _token_routes(state: ProviderState) -> list[Route]:
    endpoint, others = TokenEndpoint(state, PlainSpeech(state)), TokenRoutes(state)
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


def _consent_routes(state: ProviderState) -> list[Route]:
    people = ConsentRoutes(state)
    return [
        Route("/authorize", people.authorize, methods=["GET", "POST"]),
        Route("/login", people.login),
        Route("/userinfo", people.userinfo, methods=["GET", "POST"]),
        Route("/jwks", people.key_set),
        *_metadata_routes(state),
    ]


def _metadata_routes(state: ProviderState) -> list[Route]:
    about = MetadataRoutes(state)
    return [
        Route("/.well-known/oauth-authorization-server", about.server),
        Route("/.well-known/openid-configuration", about.server),
        Route("/.well-known/oauth-protected-resource", about.resource),
        Route("/.well-known/oauth-protected-resource/mcp", about.resource),
        Route("/register", about.register, methods=["POST"]),
        Route("/mcp", about.mcp, methods=["GET", "POST"]),
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


URLS = ("token_url", "refresh_url", "revocation_url", "authorize_url", "identity_url")
_STOP_SECONDS = 10
_BACKLOG = 2_048
# Longer than a test: a server that closes idle connections would look like an injected fault.
_KEEP_ALIVE_SECONDS = 3_600


class _Config(uvicorn.Config):
    def configure_logging(self) -> None:
        """Leaves logging alone: it belongs to the process this provider is a guest in."""


class _Server(uvicorn.Server):
    """Tells when it listens, and stops when told instead of looking ten times a second."""

    def __init__(self, state: ProviderState, app: ASGIApp) -> None:
        super().__init__(_config(state, app))
        self._state = state
        self.listening = threading.Event()
        self.stopping = asyncio.Event()
        self.loop: asyncio.AbstractEventLoop | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.loop = asyncio.get_running_loop()
        self.listening.set()

    async def main_loop(self) -> None:
        await self.stopping.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Drops every connection at once: nobody waits for a fault, or for a polite client."""
        for server in self.servers:
            server.close()
        self._state.pauses.stop()
        self._state.connections.abort_all()
        for bound in sockets or []:
            bound.close()
        if self.server_state.tasks:
            await asyncio.wait(self.server_state.tasks, timeout=_STOP_SECONDS / 2)


class FakeProvider:
    """A fake authorization server, running between `start` and `stop` or inside a `with` block."""

    def __init__(
        self,
        options: Options | None = None,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        entry: Provider | None = None,
    ) -> None:
        """Binds the port at once (0 takes any free one), so that `url` is known before the start.

        With an `entry`, it behaves as that says: `entry` then has its places here. Raises OSError
        where the port is taken.
        """
        self.state = ProviderState(options or Options())
        self.manner = None if entry is None else Manner(entry, self.state)
        self._socket = _bound(host, port)
        self.port: int = self._socket.getsockname()[1]
        self.url = self.state.url = f"http://{host}:{self.port}"
        self.entry = None if entry is None else local(entry, self.url)
        if self.entry is not None and self.entry.connect is not None:
            issuer = self.entry.connect.issuer or self.entry.issuer or ""
            self.state.options = self.state.options.changed({"issuer": issuer})
        self.admin = FakeProviderClient(self.url)
        self._server = _Server(self.state, build_app(self.state, self.manner))
        self._thread = threading.Thread(target=self._run, name="fake-provider", daemon=True)

    @classmethod
    def of(cls, entry: Provider, **options: object) -> Self:
        """Returns the provider that an entry of the catalogue describes.

        `options` are those of `Options`, where they are to be others than the entry says. Its own
        `entry` is the given one with its URLs at this server.
        """
        return cls(Options().changed(options_of(entry) | options), entry=entry)

    @property
    def places(self) -> dict[str, str]:
        """Where the entry's endpoints are here, by the fields that a providers file has for them.

        And whom assertions are for, where an app signs them: still the provider's own endpoint.
        """
        signs = self.entry is not None and self.entry.signs
        names = (*URLS, "assertion_audience") if signs else URLS
        known = {name: getattr(self.entry, name, None) for name in names}
        return {name: url for name, url in known.items() if url is not None}

    @property
    def consent_places(self) -> dict[str, Any]:
        """The like of the entry's `[connect]`: the tables in it that have a URL are whole."""
        consent = None if self.entry is None else self.entry.connect
        return {} if consent is None else places_of(consent)

    def start(self) -> None:
        """Serves from a background thread; returns when the socket is listened to."""
        self._thread.start()
        self._server.listening.wait()
        if self._server.loop is None:
            message = "the fake provider could not start; its error is above"
            raise RuntimeError(message)

    def stop(self) -> None:
        """Drops every connection and ends the thread; hanging requests do not delay it."""
        self.admin.close()
        loop = self._server.loop
        if loop is None or not self._thread.is_alive():
            self._socket.close()
            return
        loop.call_soon_threadsafe(self._server.stopping.set)
        self._thread.join(_STOP_SECONDS)

    def __enter__(self) -> Self:
        """Starts."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stops."""
        self.stop()

    def _run(self) -> None:
        try:
            self._server.run(sockets=[self._socket])
        finally:
            self._server.listening.set()


def _bound(host: str, port: int) -> socket.socket:
    # asyncio turns Nagle's delay off only where the protocol is named: 40 ms an answer otherwise.
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
        bound.listen(_BACKLOG)
    except BaseException:
        bound.close()
        raise
    return bound


def _config(state: ProviderState, app: ASGIApp) -> uvicorn.Config:
    return _Config(
        app,
        http=tracking_protocol(state.connections),
        loop="asyncio",
        ws="none",
        lifespan="off",
        log_config=None,
        log_level=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        backlog=_BACKLOG,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
    )
