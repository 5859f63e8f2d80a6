"""Chooses how operations are carried out, by what was given: an API, or a database."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

import httpx

from refresher.client.http import OverHttp
from refresher.errors import SettingsError

if TYPE_CHECKING:
    from refresher.client.direct import Direct

API_URL, API_KEY = "REFRESHER_API_URL", "REFRESHER_API_KEY"


def opened(
    api_url: str | None,
    api_key: str | None,
    http_client: httpx.Client | httpx.AsyncClient | None,
    settings: Mapping[str, object],
    *,
    allow_insecure: bool,
) -> tuple[OverHttp | None, Direct | None]:
    """Returns the one that was asked for; raises `SettingsError` for none, or for both.

    Where neither is given, the environment may name an API; an argument always counts more.
    """
    direct = any(value is not None for value in settings.values())
    if api_url is None and not direct:
        api_url = os.environ.get(API_URL) or None
    if api_url is not None and api_key is None:
        api_key = os.environ.get(API_KEY) or None
    if api_url is None and settings.get("database_url") is None:
        raise SettingsError(
            "give api_url and api_key, or database_url and encryption_keys; "
            f"{API_URL} and {API_KEY} in the environment name an API, too"
        )
    if api_url is None:
        from refresher.client.direct import Direct  # noqa: PLC0415  over HTTP no driver is needed

        return None, Direct({name: v for name, v in settings.items() if v is not None})
    given = sorted(name for name, value in settings.items() if value is not None)
    if given:
        raise SettingsError(f"api_url and {given[0]} are two ways: give one of them")
    if api_key is None:
        raise SettingsError(
            f"api_key is missing (and {API_KEY} is not set): `refresher keys create` prints one"
        )
    return OverHttp(api_url, api_key, http_client, allow_insecure=allow_insecure), None
