"""Puts an app's proof into a request: assertions into parameters or a header, a certificate beside it.

Pure. `requests.py` builds the rest; what is signed is made in `assertions.py`, imported here only where
something is signed, for that is dear and rare. Sources: RFC 7523 section 2, RFC 8705 section 2.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from refresher.rules.clients import ClientCredentials
from refresher.rules.connection import Secret, value
from refresher.rules.fillings import Stamp
from refresher.rules.placeholders import UnbuildableRequest
from refresher.rules.proofs import Told
from refresher.rules.providers import (
    CERTIFIED,
    SIGNING_CLIENT,
    SIGNING_GRANT,
    ClientAuth,
    Provider,
    Strategy,
)

JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
CLIENT_JWT = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
FillIn = Callable[[Mapping[str, str]], Mapping[str, str]]
"""Fills values into a table of the entry."""


@value
class ClientCertificate:
    """What an app shows in the TLS handshake: its certificate, as PEM, and the key to it."""

    chain: str
    key: Secret

    def pem(self) -> bytes:
        """Returns both, in the clear."""
        return f"{self.chain.strip()}\n{self.key.reveal()}".encode()


@value
class Proof:
    """What signs one request: each assertion in it is stamped by itself."""

    provider: Provider
    client: ClientCredentials
    claims: Told
    draw: Callable[[], Stamp]

    def sign(self, parameters: dict[str, str], headers: dict[str, str]) -> None:
        """Adds all assertions to a request for a token."""
        self.of_client(self.provider.client_auth, parameters)
        self._of_grant(parameters, headers)

    def of_client(self, client_auth: ClientAuth, parameters: dict[str, str]) -> None:
        """Adds the assertion that proves the client, where that is its proof."""
        if client_auth not in SIGNING_CLIENT:
            return
        from refresher.rules import assertions  # noqa: PLC0415  see above

        made = assertions.of_client(self.provider, self.client, self.claims, self.draw())
        if client_auth is ClientAuth.SIGNED_SECRET:
            parameters["client_secret"] = made.reveal()
        else:
            parameters["client_assertion_type"] = CLIENT_JWT
            parameters["client_assertion"] = made.reveal()

    def _of_grant(self, parameters: dict[str, str], headers: dict[str, str]) -> None:
        """Adds the assertion that is the grant, where one is: a parameter, or a bearer token."""
        if self.provider.strategy not in SIGNING_GRANT:
            return
        from refresher.rules import assertions  # noqa: PLC0415  see above

        made = assertions.grant(self.provider, self.client, self.claims, self.draw())
        if self.provider.strategy is Strategy.GITHUB_APP:
            headers["Authorization"] = f"Bearer {made.reveal()}"
        else:
            parameters["assertion"] = made.reveal()


def proof(
    provider: Provider,
    client: ClientCredentials | None,
    url: str,
    fill_in: FillIn,
    draw: Callable[[], Stamp] | None,
) -> Proof:
    """Returns what signs a request; assertions are for `url`, if for nobody else."""
    assert client is not None  # `authenticate` came first
    assert draw is not None
    audience = provider.assertion_audience
    told = Told(
        fill_in({"aud": audience})["aud"] if audience else url,
        fill_in(provider.assertion),
        fill_in(provider.client_assertion),
    )
    return Proof(provider, client, told, draw)


def certificate_of(
    provider: Provider, client: ClientCredentials | None
) -> ClientCertificate | None:
    """Returns what is shown in the TLS handshake; raises where the entry wants it and there is none."""
    if client is not None and client.certificate and client.certificate_key:
        return ClientCertificate(client.certificate, client.certificate_key)
    if provider.client_auth in CERTIFIED:
        raise UnbuildableRequest(
            f"certificate is missing: {provider.name} knows our app by it; give the app "
            f"certificate_file and certificate_key_file, or `refresher apps set {provider.name}` the "
            "options --certificate-file and --certificate-key-file"
        )
    return None
