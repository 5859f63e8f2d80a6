"""Our OAuth clients at the providers. Secrets and keys go in, and never come out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NotRequired, TypedDict

from refresher.client.calls import Call
from refresher.client.values import made
from refresher.rules.connection import Secret

PATH = "/v1/apps"


class AppFields(TypedDict):
    """What `set` takes by name, beside the provider: all of an app, for it is stored as a whole.

    `client_secret` None is a public client. Keys and certificates are PEM.
    """

    client_id: str
    client_secret: str | Secret | None
    name: NotRequired[str]
    previous_client_secret: NotRequired[str | Secret | None]
    private_key: NotRequired[str | Secret | None]
    key_id: NotRequired[str | None]
    certificate: NotRequired[str | None]
    certificate_key: NotRequired[str | Secret | None]
    placeholders: NotRequired[Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class App:
    """An OAuth client of ours.

    `material` names what is sealed beside its secret, such as `private_key`. `paused_until`: its
    provider refuses it, and it is left alone until then; `pause_reason` says why.
    """

    provider: str
    name: str
    client_id: str
    has_secret: bool
    material: tuple[str, ...] = ()
    paused_until: datetime | None = None
    pause_reason: str | None = None
    updated_at: datetime | None = None


def listed() -> Call[tuple[App, ...]]:
    """All of them."""
    return Call(
        "GET",
        PATH,
        read=lambda document: tuple(made(App, one) for one in document["items"]),
        here=lambda direct: tuple(made(App, one) for one in direct.apps.listed()),
    )


def put(provider: str, fields: AppFields) -> Call[App]:
    """An app, stored as a whole."""
    given = {"provider": provider, **fields}
    return Call(
        "PUT",
        PATH,
        read=lambda document: made(App, document),
        here=lambda direct: made(App, direct.apps.put(given)),
        body={name: _bare(value) for name, value in given.items()},
        once=True,
    )


def rotate_secret(provider: str, name: str, secret: str | Secret) -> Call[App]:
    """A new client secret, and the one before beside it."""
    return Call(
        "POST",
        f"{PATH}/rotate-secret",
        read=lambda document: made(App, document),
        here=lambda direct: made(
            App, direct.apps.rotate_secret(provider, name, Secret(_bare(secret)))
        ),
        body={"provider": provider, "name": name, "client_secret": _bare(secret)},
        once=True,
    )


def end_rotation(provider: str, name: str) -> Call[App]:
    """The client secret before is forgotten."""
    return Call(
        "POST",
        f"{PATH}/end-rotation",
        read=lambda document: made(App, document),
        here=lambda direct: made(App, direct.apps.end_rotation(provider, name)),
        body={"provider": provider, "name": name},
        once=True,
    )


def _bare(value: Any) -> Any:
    return value.reveal() if isinstance(value, Secret) else value
