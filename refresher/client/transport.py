"""How operations are carried out: over the HTTP API or on a database; `Connected` chooses.

A problem document (RFC 9457) of the API is turned into one of our errors.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from urllib.parse import urlsplit

from refresher import __version__
from refresher.client.operations import Call
from refresher.client.stepping import StepUps
from refresher.errors import (
    ApiError,
    ApiUnavailable,
    Conflict,
    ConnectRefused,
    InvalidConnection,
    NoSuchConnection,
    NoSuchSession,
    NotAuthorized,
    RefresherError,
    SettingsError,
    TokenUnavailable,
)
from refresher.rules.connection import ParkReason
from refresher.rules.unavailable import Why

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

    import httpx

    from refresher.client.direct import Direct

T = TypeVar("T")
Client = TypeVar("Client", bound="httpx.Client | httpx.AsyncClient")
API_URL, API_KEY = "REFRESHER_API_URL", "REFRESHER_API_KEY"
ANSWER_SECONDS = 10.0
"""How long the API may take, beyond what it was asked to wait."""
ABOUT_TOKENS = {*(why.value for why in Why), *(reason.value for reason in ParkReason)}
ABOUT_FIELDS = {"invalid_connection", "invalid_body"}


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
            self._http = _over_http(api_url, api_key, http_client, direct, allow_insecure)
        elif database_url is not None:
            from refresher.client.direct import Direct

            self._direct = Direct(direct)
        else:
            raise SettingsError(
                "give api_url and api_key, or database_url and encryption_keys; "
                f"{API_URL} and {API_KEY} in the environment name an API, too"
            )


def _over_http(
    api_url: str,
    api_key: str | None,
    http_client: httpx.Client | httpx.AsyncClient | None,
    direct: Mapping[str, object],
    allow_insecure: bool,  # noqa: FBT001
) -> OverHttp:
    if direct:
        raise SettingsError(f"api_url and {min(direct)} are two ways: give one of them")
    if api_key is None:
        raise SettingsError(
            f"api_key is missing (and {API_KEY} is not set): `refresher keys create` prints one"
        )
    return OverHttp(api_url, api_key, http_client, allow_insecure=allow_insecure)


class OverHttp:
    """Sends operations to an API, with threads or asyncio; `given` is an httpx client to use."""

    def __init__(
        self,
        api_url: str,
        api_key: str,
        given: httpx.Client | httpx.AsyncClient | None,
        *,
        allow_insecure: bool = False,
    ) -> None:
        _check_url(api_url, allow_insecure=allow_insecure)
        if not api_key.isascii() or not api_key.strip().isprintable() or not api_key.strip():
            raise SettingsError("api_key is no key: `refresher keys create` prints one")
        self._base = api_url.rstrip("/")
        self._headers = {
            "Authorization": f"Bearer {api_key.strip()}",
            "User-Agent": f"refresher-python/{__version__}",
            "Accept": "application/json, application/problem+json",
        }
        self._given = given
        self._sync: httpx.Client | None = None
        self._async: tuple[AbstractEventLoop, httpx.AsyncClient] | None = None

    def run(self, operation: Call[T]) -> T:
        """Returns what the API answers; raises what it refuses."""
        import httpx

        if self._sync is None:
            own = self._given if isinstance(self._given, httpx.Client) else None
            self._sync = own or httpx.Client(transport=httpx.HTTPTransport(retries=1))
        try:
            response = self._sync.request(**self._request(operation))
        except httpx.HTTPError as error:
            raise self._unreachable(error) from error
        return answer(operation, response)

    async def run_async(self, operation: Call[T]) -> T:
        """Does the same with asyncio."""
        import httpx

        try:
            response = await self._client_of_this_loop().request(**self._request(operation))
        except httpx.HTTPError as error:
            raise self._unreachable(error) from error
        return answer(operation, response)

    def close(self) -> None:
        """Closes connections, but not those of a client that was given."""
        if self._sync is not None and self._sync is not self._given:
            self._sync.close()

    async def aclose(self) -> None:
        """Does the same with asyncio."""
        import asyncio

        if self._async is not None and self._async[0] is asyncio.get_running_loop():
            await self._async[1].aclose()

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

        return {
            "method": operation.method,
            "url": self._base + operation.path,
            "params": operation.params or None,
            "json": operation.body,
            "headers": self._headers,
            "timeout": httpx.Timeout(ANSWER_SECONDS, read=operation.wait_seconds + ANSWER_SECONDS),
        }

    def _unreachable(self, error: httpx.HTTPError) -> ApiUnavailable:
        said = str(error) or type(error).__name__
        return ApiUnavailable(f"{self._base} cannot be reached: {said}")


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


def answer(operation: Call[T], response: httpx.Response) -> T:
    """Returns the value in an answer, or raises the error that it tells of."""
    if not response.is_success:
        raise error_in(response, operation.about)
    try:
        return operation.read(response.json() if response.content else None)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ApiError(
            f"{response.url.host} answered {operation.method} {operation.path} with what is not of "
            "this API: check api_url",
            status=response.status_code,
        ) from None


def error_in(response: httpx.Response, about: str = "other") -> RefresherError:
    """Returns the error that a refusal tells of; what is no problem document gives its status."""
    problem = _problem(response)
    status, code = response.status_code, problem.get("code")
    retry = _seconds(problem.get("retry_after_seconds", response.headers.get("Retry-After")))
    title = problem.get("title") or response.reason_phrase or "no reason given"
    sentence = str(problem.get("detail") or f"the API answered {status}: {title}")
    why = next((w for w in (problem.get("reason"), code) if w in ABOUT_TOKENS), None)
    if about == "token" and why is not None:
        return TokenUnavailable(why, sentence, retry_after_seconds=retry)
    if about == "registration" and code in ABOUT_FIELDS:
        return InvalidConnection(sentence)
    if about == "connect" and status in {404, 409, 422}:
        return _of_session(str(code), sentence)
    match status:
        case 404 if code == Why.NO_SUCH_CONNECTION:
            return NoSuchConnection(sentence)
        case 409:
            return Conflict(sentence)
        case 401 | 403:
            kind: type[ApiError] = NotAuthorized
        case _:
            kind = ApiUnavailable if status >= 500 else ApiError
    named = str(code) if code is not None else None
    return kind(sentence, status=status, code=named, retry_after_seconds=retry)


def _of_session(code: str, sentence: str) -> RefresherError:
    if code == "no_such_session":
        return NoSuchSession(sentence)
    if code == Why.NO_SUCH_CONNECTION:
        return NoSuchConnection(sentence)
    return ConnectRefused(code, sentence)


def _problem(response: httpx.Response) -> Mapping[str, Any]:
    try:
        problem = response.json()
    except ValueError:
        return {}
    return problem if isinstance(problem, dict) else {}


def _seconds(value: object) -> float | None:
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
