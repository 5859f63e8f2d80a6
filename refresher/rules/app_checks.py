"""Whether what an app has beside its secret is any, and fits: keys, certificate, the secret before.

Apart from `clients.py`, because reading keys is dear to import, and few apps have one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TypeVar

from refresher.errors import InvalidApp
from refresher.rules import assertions
from refresher.rules.clients import ClientCredentials
from refresher.rules.connection import Secret
from refresher.rules.keys import UnusableKey, belongs, read_certificate, read_key
from refresher.rules.placeholders import UnbuildableRequest
from refresher.rules.providers import Provider
from refresher.rules.proving import certificate_of

T = TypeVar("T")


def checked(client: ClientCredentials) -> ClientCredentials:
    """Returns the client with its keys in the one form that is stored.

    Raises `InvalidApp` with a sentence for each fault, which begins with a field and repeats nothing.
    """
    wrong = list(_faults(client))
    key = _read(wrong, "private_key", client.private_key, lambda k: read_key(k.reveal()))
    own = _read(wrong, "certificate_key", client.certificate_key, lambda k: read_key(k.reveal()))
    shown = _read(wrong, "certificate", client.certificate, read_certificate)
    if own and shown and not belongs(shown, own.pem):
        wrong.append("certificate_key does not belong to certificate (the first one there)")
    elif key and shown and not client.certificate_key and not belongs(shown, key.pem):
        wrong.append("certificate is not that of private_key: give its own as certificate_key")
    if wrong:
        raise InvalidApp(*wrong)
    return replace(
        client,
        private_key=key.pem if key else None,
        key_id=client.key_id or (key.key_id if key else None),
        certificate=shown,
        certificate_key=own.pem if own else None,
    )


def lacking(client: ClientCredentials, provider: Provider) -> Iterator[str]:
    """Yields what the app lacks to prove itself as the entry says."""
    try:
        for signer in assertions.signers(provider, client):
            assertions.check(signer)
        certificate_of(provider, client)
    except UnbuildableRequest as error:
        yield str(error)


def _faults(client: ClientCredentials) -> Iterator[str]:
    previous = client.previous_client_secret
    if previous and not client.client_secret:
        yield "previous_client_secret is set, but client_secret, which follows it, is missing"
    elif previous and previous == client.client_secret:
        yield "previous_client_secret is the same as client_secret: leave it away"
    if client.key_id and not client.private_key:
        yield "key_id is set, but private_key, which it names, is missing"
    if client.certificate and not (client.certificate_key or client.private_key):
        yield "certificate is set, but certificate_key is missing"
    elif client.certificate_key and not client.certificate:
        yield "certificate_key is set, but certificate is missing"


def _read(
    wrong: list[str], field: str, given: Secret | str | None, read: Callable[..., T]
) -> T | None:
    if not given:
        return None
    try:
        return read(given)
    except UnusableKey as error:
        wrong.append(f"{field} {error}")
        return None
