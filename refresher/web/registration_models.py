"""The bodies with which a connection is registered and changed; `models.py` says what models are."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from refresher.rules.handed_error import refuse_error
from refresher.web.models import Body, Life, Needed, Scopes, Text, Token


class Registration(Body):
    """A connection after the OAuth dance, the same fields as one line of an import.

    Registering it again with tokens is a reconnect: it updates, wins over a refresh in flight and
    resumes a parked connection. Without tokens it is an update, which changes neither expiry nor state.
    What is absent keeps what is stored.
    """

    organization_id: Text | None = Field(None, description="Left out: that of the API key.")
    provider: Needed
    external_id: Needed
    answer: dict[str, Any] | None = Field(
        None,
        description="The provider's token answer as it came, instead of the five fields below. An "
        "error answer is refused.",
    )
    access_token: Token | None = None
    refresh_token: Token | None = None
    expires_in: Life | None = None
    expires_at: datetime | None = Field(None, description="With its offset; or give expires_in.")
    refresh_token_expires_in: Life | None = Field(None, description="0: no known end.")
    scopes: Scopes | Annotated[str, Field(max_length=16_384)] | None = Field(
        None, description="Those asked for."
    )
    granted_scopes: Scopes | Annotated[str, Field(max_length=16_384)] | None = Field(
        None, description="Those granted, where no `answer` tells them."
    )
    name: Text | None = None
    app: Text | None = None
    host: Text | None = None
    placeholders: dict[str, Text] | None = Field(
        None, description='Values of the provider\'s placeholders: `{"tenant": "acme"}`.'
    )
    root_external_id: Text | None = None
    in_between_steps: bool | None = None
    metadata: dict[str, Any] | None = None

    @classmethod
    def refuse(cls, given: object) -> None:
        """Refuses the error of a provider, which an application took for tokens."""
        if isinstance(given, dict):
            refuse_error(given)


class Change(Body):
    """What may be changed of a connection; what is left out stays."""

    name: Text | None = None
    metadata: dict[str, Any] | None = Field(None, description="Replaces the whole of it.")
    scopes: Scopes | None = None
