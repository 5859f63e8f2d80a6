"""How operations are carried out: over the HTTP API or on a database; `Connected` chooses."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from ipaddress import ip_address
from threading import Lock
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from urllib.parse import urlsplit
from uuid import uuid4

from refresher import __version__
from refresher.client.calls import Call
from refresher.client.refusals import answer
from refresher.client.stepping import StepUps
from refresher.errors import ApiUnavailable, SettingsError

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

    import httpx

    from refresher.client.direct import Direct

T = TypeVar("T")
Client = TypeVar("Client", bound="httpx.Client | httpx.AsyncClient")
API_URL, API_KEY = "REFRESHER_API_URL", "REFRESHER_API_KEY"
ANSWER_SECONDS = 10.0
"""How long the API may take, beyond what it was asked to wait."""


class Connected(Generic[Client]):
    """What was asked for, an API or a database; raises `SettingsError` for none, or for both.

    Where neither is given, the environment may name an API; an argument always counts more.
    """

    def __init__(
        self,
        *,
        api_url: str | None = None,
        api_key: str | None = None,
        database_url: str | None = None,
        encryption_keys: str | Sequence[str] | None = None,
        http_client: Client | None = None,
        allow_insecure: bool = False,
        timeout_seconds: float = ANSWER_SECONDS,
        **settings: object,
    ) -> None:
        named = {"database_url": database_url, "encryption_keys": encryption_keys, **settings}
        direct = {name: value for name, value in named.items() if value is not None}
        if api_url is None and not direct:
            api_url = os.environ.get(API_URL) or None
        if api_url is not None and api_key is None:
            api_key = os.environ.get(API_KEY) or None
        self._step_ups = StepUps()
        self._http: OverHttp | None = None
        self._direct: Direct | None = None
        if api_url is not None:
            _check(api_key, direct, timeout_seconds)
            _check_url(api_url, allow_insecure=allow_insecure)
            self._http = OverHttp(api_url, str(api_key).strip(), http_client, timeout_seconds)
        elif database_url is not None:
            self._direct = _direct(direct)
        else:
            raise SettingsError(
                "give api_url and api_key, or database_url and encryption_keys; "
                f"{API_URL} and {API_KEY} in the environment name an API, too"
            )


def _direct(settings: Mapping[str, object]) -> Direct:
    try:
        from refresher.client.direct import Direct
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"straight on a database the whole of refresher is needed, and {error.name} is missing: "
            "`pip install refresher` brings it; over HTTP httpx is enough"
        ) from error
    return Direct(settings)


def _check(api_key: str | None, direct: Mapping[str, object], timeout_seconds: float) -> None:
    """Raises `SettingsError` for what does not go with an API."""
    if "timeout" in direct:
        raise SettingsError(
            "there is no timeout: timeout_seconds is how long the API may take, and wait_seconds of a "
            "method how long it may wait for a refresh"
        )
    if direct:
        raise SettingsError(f"api_url and {min(direct)} are two ways: give one of them")
    if api_key is None:
        raise SettingsError(
            f"api_key is missing (and {API_KEY} is not set): `refresher keys create` prints one"
        )
    if not api_key.isascii() or not api_key.strip().isprintable() or not api_key.strip():
        raise SettingsError("api_key is no key: `refresher keys create` prints one")
    if not timeout_seconds > 0:
        raise SettingsError("timeout_seconds must be more than 0")


class OverHttp:
    """Sends operations to an API, with threads or asyncio; `given` is an httpx client to use."""

    def __init__(
        self,
        api_url: str,
        api_key: str,
        given: httpx.Client | httpx.AsyncClient | None,
        timeout_seconds: float,
    ) -> None:
        self._base = api_url.rstrip("/")
        self._headers = {
            "Authorization": f"Bearer {api_key}",
            "User-Agent": f"refresher-python/{__version__}",
            "Accept": "application/json, application/problem+json",
        }
        self._given = given
        self._timeout_seconds = timeout_seconds
        self._making = Lock()
        self._sync: httpx.Client | None = None
        self._async: tuple[AbstractEventLoop, httpx.AsyncClient] | None = None

    def run(self, operation: Call[T]) -> T:
        """Returns what the API answers; raises what it refuses."""
        client, request, tries = self._client(), self._request(operation), _tries(operation)
        while True:
            tries -= 1
            try:
                return answer(operation, client.request(**request))
            except self._errors as error:
                self._tell(error, tries)

    async def run_async(self, operation: Call[T]) -> T:
        """Does the same with asyncio."""
        client, request, tries = (
            self._client_of_this_loop(),
            self._request(operation),
            _tries(operation),
        )
        while True:
            tries -= 1
            try:
                return answer(operation, await client.request(**request))
            except self._errors as error:
                self._tell(error, tries)

    @property
    def _errors(self) -> type[httpx.HTTPError]:
        import httpx

        return httpx.HTTPError

    def _tell(self, error: httpx.HTTPError, tries_left: int) -> None:
        """Raises `ApiUnavailable`, unless the request is to be sent once more: a connection broke."""
        import httpx

        if tries_left and not isinstance(error, httpx.TimeoutException):
            return
        said = str(error) or type(error).__name__
        raise ApiUnavailable(f"{self._base} cannot be reached: {said}") from error

    def close(self) -> None:
        """Closes connections, but not those of a client that was given."""
        if self._sync is not None and self._sync is not self._given:
            self._sync.close()

    async def aclose(self) -> None:
        """Does the same with asyncio."""
        import asyncio

        if self._async is not None and self._async[0] is asyncio.get_running_loop():
            await self._async[1].aclose()

    def _client(self) -> httpx.Client:
        import httpx

        with self._making:
            if self._sync is None:
                own = self._given if isinstance(self._given, httpx.Client) else None
                self._sync = own or httpx.Client(transport=httpx.HTTPTransport(retries=1))
            return self._sync

    def _client_of_this_loop(self) -> httpx.AsyncClient:
        import asyncio

        import httpx

        if isinstance(self._given, httpx.AsyncClient):
            return self._given
        loop = asyncio.get_running_loop()
        if self._async is None or self._async[0] is not loop:
            transport = httpx.AsyncHTTPTransport(retries=1)
            self._async = (loop, httpx.AsyncClient(transport=transport))
        return self._async[1]

    def _request(self, operation: Call[Any]) -> dict[str, Any]:
        import httpx

        # Who waits for a refresh holds a connection: the next may have to wait as long for one.
        longest = operation.wait_seconds + self._timeout_seconds
        key = {"Idempotency-Key": str(uuid4())} if operation.once else {}
        return {
            "method": operation.method,
            "url": self._base + operation.path,
            "params": operation.params or None,
            "json": operation.body,
            "headers": self._headers | key,
            "timeout": httpx.Timeout(self._timeout_seconds, read=longest, pool=longest),
        }


def _tries(operation: Call[Any]) -> int:
    """How often it may be sent, where the connection breaks."""
    return 2 if operation.once or operation.safe or operation.method == "GET" else 1


def _check_url(api_url: str, *, allow_insecure: bool) -> None:
    """Raises `SettingsError` for what is no URL, or would send key and tokens in the clear."""
    try:
        parts = urlsplit(api_url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise SettingsError("api_url is no URL: its host or port cannot be read") from None
    if parts.scheme not in {"http", "https"} or not host:
        raise SettingsError("api_url must begin with https:// and name a server")
    if parts.scheme == "http" and not allow_insecure and not _is_this_machine(host):
        raise SettingsError(
            f"api_url begins with http://, and {host} is another machine: the API key and the tokens "
            "would travel in the clear. Give https://, or allow_insecure=True where nobody else can "
            "listen on the way, such as inside one private network"
        )


def _is_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.rstrip(".") == "localhost" or host.rstrip(".").endswith(".localhost")
