"""Where an entry's people come: its authorize endpoint, userinfo, key set; and what they are told."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from refresher.devkit.oauth_server.consent.exchange import id_token, scopes_to_tell
from refresher.devkit.oauth_server.consent.page import sentence_page
from refresher.devkit.oauth_server.consent.routes import ConsentRoutes
from refresher.devkit.oauth_server.entry import identity
from refresher.devkit.oauth_server.entry.arrived import arrived
from refresher.devkit.oauth_server.entry.consents import read_authorize, read_userinfo
from refresher.devkit.oauth_server.entry.places import NotAsWritten
from refresher.devkit.oauth_server.state import ProviderState
from refresher.devkit.oauth_server.token_routes import json_response
from refresher.devkit.oauth_server.tokens import Issued
from refresher.rules.providers import Provider


class People:
    """Consents in the entry's words, over one provider's state."""

    def __init__(self, entry: Provider, state: ProviderState) -> None:
        """Asks, and remembers what is allowed, in the given state."""
        self._entry = entry
        self._state = state
        hmac_name = entry.connect.callback_hmac if entry.connect else None
        self._routes = ConsentRoutes(
            state, lambda consented: identity.beside_code(entry, consented), hmac_name or "hmac"
        )

    async def authorize(self, request: Request) -> Response:
        """Asks the person; a request that is not what the entry says is told on a page."""
        try:
            asked = read_authorize(self._entry, await arrived(request))
        except NotAsWritten as error:
            return sentence_page(str(error), 400)
        return await self._routes.ask(asked, request)

    async def userinfo(self, request: Request) -> Response:
        """Tells whose an access token is, where the entry has it."""
        try:
            token = read_userinfo(self._entry, await arrived(request))
        except ValueError as error:
            return json_response({"error": str(error)}, 400)
        entry = self._entry
        return await self._routes.whoami(token, lambda name: identity.told_account(entry, name, {}))

    async def key_set(self, request: Request) -> Response:
        """Tells the key that id_tokens are signed with."""
        return await self._routes.key_set(request)

    def beside_tokens(self, issued: Issued) -> dict[str, Any]:
        """Returns what the answer to a code tells besides tokens, in the entry's words."""
        consented, consent = issued.consented, self._entry.connect
        if consented is None or consent is None:
            return {}
        scopes, found_in = scopes_to_tell(self._state, consented), consent.identity.found_in
        told: dict[str, Any] = {"scope": None}
        if scopes is not None:
            separator = consent.answer_scope_separator or self._entry.scope_separator
            told["scope"] = separator.join(consent.scope_aliases.get(one, one) for one in scopes)
        if "openid" in consented.scopes or "id_token" in found_in:
            claims = identity.claims(self._entry, consented, self._state.issuer)
            told["id_token"] = id_token(self._state, consented, claims)
        return told
