"""A code becomes tokens: the order of things at the token endpoint, over one provider's state."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from refresher.devkit.oauth_server.consent.codes import Consented, judge
from refresher.devkit.oauth_server.consent.identity import id_token
from refresher.devkit.oauth_server.tokens import Reply

if TYPE_CHECKING:
    from refresher.devkit.oauth_server.state import ProviderState


def redeem(state: "ProviderState", params: Mapping[str, str], client_id: str) -> Reply:
    """Answers grant_type=authorization_code; a second send may end what the first gave."""
    now, consented = state.clock.now(), state.codes.find(params.get("code"))
    state.ledger.count("code_requests")
    denied = judge(consented, params, client_id, now)
    if consented is None or denied is not None:
        assert denied is not None
        if consented is not None and denied.reason == "code_sent_twice":
            _sent_twice(state, consented)
        return denied
    issued = state.book.grant(
        consented.account,
        now,
        state.options,
        remaining_seconds=state.options.code_token_lifetime_seconds,
        has_refresh_token=consented.has_refresh_token,
        ends_older=not state.options.older_grants_live,
    )
    consented.family = issued.family
    state.ledger.count("codes_exchanged")
    return replace(issued, beside=_beside(state, consented, now))


def _sent_twice(state: "ProviderState", consented: Consented) -> None:
    state.ledger.count("codes_sent_twice")
    if consented.family is not None and state.options.code_reuse == "revoke":
        state.ledger.totals["families_revoked"] += consented.family.end("code_sent_twice")


def _beside(state: "ProviderState", consented: Consented, now: float) -> dict[str, Any]:
    """Returns what the answer to a code tells besides tokens."""
    told: dict[str, Any] = {}
    is_fewer = set(consented.scopes) != set(consented.asked_scopes)
    if state.options.tell_scope == "always" or (
        state.options.tell_scope == "when_fewer" and is_fewer
    ):
        told["scope"] = " ".join(consented.scopes)
    if "openid" in consented.scopes:
        told["id_token"] = id_token(
            consented.account,
            issuer=state.issuer,
            client_id=consented.client_id,
            nonce=consented.nonce,
            now=now,
            style=state.options.id_token,
        )
    return {name: value for name, value in told.items() if value is not None}
