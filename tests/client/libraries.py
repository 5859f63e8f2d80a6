"""The HTTP libraries that an auth serves: each sends so many requests at once, and tells the statuses.

Beside them a resource server on a real socket, which knows which tokens are good.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import aiohttp
import httpx
import httpx2
import requests

from refresher.client import AsyncRefresher, ConnectionAuth
from tests.ports import LOOPBACK

Caller = Callable[[ConnectionAuth, str, int], list[int]]
MOST_AT_ONCE = 50


class Resource:
    """What a provider's API has seen: tokens, bodies; `refused` are the tokens that it answers 401."""

    def __init__(self) -> None:
        self.refused: set[str] = set()
        self.presented: list[str | None] = []
        self.bodies: list[bytes] = []
        self.leads_to = ""
        self.url = ""

    def status(self, header: str | None, path: str) -> int:
        """Returns what a request is answered; `/away` and what is below it lead to another server."""
        token = None if header is None else header.removeprefix("Bearer ")
        self.presented.append(token)
        if token is None or token in self.refused:
            return 401
        return 302 if path == "/away" else 200


class _Server(ThreadingHTTPServer):
    request_queue_size = 200


@contextmanager
def serving(resource: Resource) -> Iterator[str]:
    """Serves it, and yields its URL."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            resource.bodies.append(self.body())
            status = resource.status(self.headers.get("Authorization"), self.path)
            self.send_response(status)
            if status == 302:
                self.send_header("Location", resource.leads_to)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        do_POST = do_GET  # noqa: N815  so the standard library calls it

        def body(self) -> bytes:
            if "chunked" not in self.headers.get("Transfer-Encoding", ""):
                return self.rfile.read(int(self.headers.get("Content-Length") or 0))
            found = b""
            while size := int(self.rfile.readline(), 16):
                found += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return found

        def log_message(self, *_: object) -> None:
            """Nobody listens."""

    with _Server((LOOPBACK, 0), Handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        resource.url = f"http://{LOOPBACK}:{server.server_port}"
        yield resource.url
        server.shutdown()
        thread.join(10)


def _threads(get: Callable[[str], int], url: str, times: int) -> list[int]:
    with ThreadPoolExecutor(MOST_AT_ONCE) as pool:
        return list(pool.map(get, [url] * times))


def by_httpx(auth: ConnectionAuth, url: str, times: int) -> list[int]:
    """`httpx.Client(auth=…)`, with threads."""
    with httpx.Client(auth=auth, follow_redirects=True) as client:
        return _threads(lambda at: client.get(at).status_code, url, times)


def by_httpx2(auth: ConnectionAuth, url: str, times: int) -> list[int]:
    """`httpx2.Client(auth=…)`, with threads."""
    with httpx2.Client(auth=auth, follow_redirects=True) as client:
        return _threads(lambda at: client.get(at).status_code, url, times)


def by_requests(auth: ConnectionAuth, url: str, times: int) -> list[int]:
    """`requests.get(auth=…)`, with threads."""
    return _threads(lambda at: requests.get(at, auth=auth, timeout=60).status_code, url, times)


def by_a_session(auth: ConnectionAuth, url: str, times: int) -> list[int]:
    """`requests.Session().auth`, with threads."""
    with requests.Session() as session:
        session.auth = auth
        return _threads(lambda at: session.get(at, timeout=60).status_code, url, times)


def _closing(story: Coroutine[Any, Any, list[int]], refresher: AsyncRefresher | None) -> list[int]:
    """Runs it, and closes the client in the loop that it was used in."""

    async def whole() -> list[int]:
        try:
            return await story
        finally:
            if refresher is not None:
                await refresher.aclose()

    return asyncio.run(whole())


def by_httpx_async(
    auth: ConnectionAuth, url: str, times: int, refresher: AsyncRefresher | None = None
) -> list[int]:
    """`httpx.AsyncClient(auth=…)`."""

    async def story() -> list[int]:
        async with httpx.AsyncClient(auth=auth, follow_redirects=True, timeout=60) as client:
            answers = await asyncio.gather(*[client.get(url) for _ in range(times)])
            return [answer.status_code for answer in answers]

    return _closing(story(), refresher)


def by_httpx2_async(
    auth: ConnectionAuth, url: str, times: int, refresher: AsyncRefresher | None = None
) -> list[int]:
    """`httpx2.AsyncClient(auth=…)`."""

    async def story() -> list[int]:
        async with httpx2.AsyncClient(auth=auth, follow_redirects=True, timeout=60) as client:
            answers = await asyncio.gather(*[client.get(url) for _ in range(times)])
            return [answer.status_code for answer in answers]

    return _closing(story(), refresher)


def by_aiohttp(
    auth: ConnectionAuth, url: str, times: int, refresher: AsyncRefresher | None = None
) -> list[int]:
    """`aiohttp.ClientSession(middlewares=(…,))`."""

    async def story() -> list[int]:
        async with aiohttp.ClientSession(middlewares=(auth,)) as session:

            async def get() -> int:
                async with session.get(url) as answer:
                    await answer.read()
                    return answer.status

            return list(await asyncio.gather(*[get() for _ in range(times)]))

    return _closing(story(), refresher)


THREADS: tuple[Caller, ...] = (by_httpx, by_httpx2, by_requests, by_a_session)
TASKS = (by_httpx_async, by_httpx2_async, by_aiohttp)
