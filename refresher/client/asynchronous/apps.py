"""`refresher.apps`: our OAuth clients at the providers."""

from __future__ import annotations

from typing import Unpack

from refresher.client import oauth_apps
from refresher.client.oauth_apps import App, AppFields
from refresher.client.opened import AsyncPart
from refresher.rules.connection import Secret


class AsyncApps(AsyncPart):
    """OAuth clients. Over HTTP they need a key of all organizations with the scope `admin`."""

    async def list(self) -> tuple[App, ...]:
        """Returns all apps, without their secrets."""
        return await self._run(oauth_apps.listed())

    async def set(self, provider: str, **fields: Unpack[AppFields]) -> App:
        """Stores an app as a whole; raises `InvalidApp`. Connections that waited for it go on."""
        return await self._run(oauth_apps.put(provider, fields))

    async def rotate_secret(
        self, provider: str, client_secret: str | Secret, *, name: str = "default"
    ) -> App:
        """Stores a new client secret beside the one before, until `end_rotation`.

        Whichever is refused, the other is tried. Raises `NoSuchApp`, or `InvalidApp`.
        """
        return await self._run(oauth_apps.rotate_secret(provider, name, client_secret))

    async def end_rotation(self, provider: str, *, name: str = "default") -> App:
        """Forgets the client secret before."""
        return await self._run(oauth_apps.end_rotation(provider, name))
