"""What clients send about our OAuth clients: secrets and keys go in here, and never come out."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from refresher.rules.clients import ClientCredentials
from refresher.rules.connection import Secret
from refresher.rules.intake_fields import MAX_PLACEHOLDERS
from refresher.rules.placeholders import MAX_TEXT_VALUE
from refresher.web.shapes import Given, Label, Needed, Visible

Pem = Annotated[str, Field(min_length=1, max_length=65_536, pattern=r"^[\x20-\x7e\r\n]+$")]
PlaceholderValue = Annotated[str, Field(max_length=MAX_TEXT_VALUE, pattern=r"^[\x20-\x7e]+$")]
SECRETS = ("client_secret", "previous_client_secret", "private_key", "certificate_key")


class AppNamed(Given):
    """Which OAuth client of ours is meant."""

    provider: Needed
    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")] = "default"


class NextSecret(AppNamed):
    """The secret that follows the one that is stored."""

    client_secret: Visible = Field(description="Never shown again.")


class AppBody(AppNamed):
    """Our OAuth client at a provider."""

    client_id: Visible
    client_secret: Visible | None = Field(description="Never shown again. null: a public client.")
    previous_client_secret: Visible | None = Field(
        None, description="The one before, tried where the new one is refused."
    )
    private_key: Pem | None = Field(None, description="What signs for the app, in PEM.")
    key_id: Label | None = Field(None, description="What the provider calls that key.")
    certificate: Pem | None = Field(None, description="In PEM, its chain behind it.")
    certificate_key: Pem | None = Field(None, description="The certificate's private key.")
    placeholders: dict[str, PlaceholderValue] = Field(
        default_factory=dict,
        max_length=MAX_PLACEHOLDERS,
        description="Values of the provider's placeholders that are the app's.",
    )

    def client(self) -> ClientCredentials:
        """Returns what the body says, in the clear."""
        texts = {name: getattr(self, name) for name in SECRETS}
        return ClientCredentials(
            self.client_id,
            key_id=self.key_id,
            certificate=self.certificate,
            placeholders=self.placeholders,
            **{name: Secret(text) if text else None for name, text in texts.items()},
        )
