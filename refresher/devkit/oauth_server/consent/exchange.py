"""A code becomes tokens: the order of things at the token endpoint, over one provider's state."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from refresher.devkit.oauth_server.consent.codes import Consented, judge
from refresher.devkit.oauth_server.consent.identity import profile, signed_claims
from refresher.devkit.oauth_server.tokens import Issued, Reply

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
    consented.family, issued.family.scopes = issued.family, consented.scopes
    state.ledger.count("codes_exchanged")
    return replace(issued, consented=consented)


def _sent_twice(state: "ProviderState", consented: Consented) -> None:
    state.ledger.count("codes_sent_twice")
    if consented.family is not None and state.options.code_reuse == "revoke":
        state.ledger.totals["families_revoked"] += consented.family.end("code_sent_twice")


def scopes_to_tell(state: "ProviderState", consented: Consented) -> tuple[str, ...] | None:
    """Returns the scopes that the answer to a code names, None where it names none."""
    match state.options.tell_scope:
        case "always":
            return consented.scopes
        case "never":
            return None
        case "when_fewer":
            is_fewer = set(consented.scopes) != set(consented.asked_scopes)
            return consented.scopes if is_fewer else None


def id_token(
    state: "ProviderState", consented: Consented, claims: Mapping[str, object]
) -> str | None:
    """Returns the id_token of a code, with these claims; None where the provider gives none."""
    own = {"iss": state.issuer, "aud": consented.client_id, **claims}
    return signed_claims(own, consented.nonce, state.clock.now(), state.options.id_token)


def told_beside(state: "ProviderState", issued: Issued) -> dict[str, Any]:
    """Returns what the answer to a code tells besides tokens: scopes, and who it was."""
    consented = issued.consented
    if consented is None:
        return {}
    scopes = scopes_to_tell(state, consented)
    told: dict[str, Any] = {} if scopes is None else {"scope": " ".join(scopes)}
    if "openid" in consented.scopes:
        token = id_token(state, consented, profile(consented.account))
        told |= {} if token is None else {"id_token": token}
    return told
