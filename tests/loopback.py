"""Asks servers on this machine: without proxies, without certificates, and without hurry.

httpx gives up after five seconds unless told otherwise, which a busy machine may need for an answer,
and reads all root certificates for each client, which no server here has any use for.
"""

import ssl
from typing import Any

import httpx

_NO_ROOTS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
_OPTIONS: dict[str, Any] = {"trust_env": False, "timeout": 60, "verify": _NO_ROOTS}


def client(**options: Any) -> httpx.Client:
    """Returns a client for servers on this machine."""
    return httpx.Client(**_OPTIONS | options)


def get(url: str, **options: Any) -> httpx.Response:
    """Sends one GET."""
    return httpx.get(url, **_OPTIONS | options)


def post(url: str, **options: Any) -> httpx.Response:
    """Sends one POST."""
    return httpx.post(url, **_OPTIONS | options)


def patch(url: str, **options: Any) -> httpx.Response:
    """Sends one PATCH."""
    return httpx.patch(url, **_OPTIONS | options)
