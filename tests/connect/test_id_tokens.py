"""An id_token is believed only if it is for us, of its issuer, of this attempt, and signed."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import cache
from typing import Any, cast

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from refresher.connections.id_tokens import believed
from refresher.outbound.key_sets import KeySets, KeysUnavailable, KeysWanted
from refresher.rules.authorize import Party
from refresher.rules.clients import ClientCredentials
from refresher.rules.connect import Problem, Trouble, hashed
from refresher.rules.connection import Reply
from refresher.rules.consent import Consent, Identity
from refresher.rules.held import Held
from refresher.rules.providers import Provider

NOW = time.time()
CONSENT = Consent(
    identity=Identity(found_in=("id_token",), paths=(("sub",),)),
    issuer="https://i.example/{tid}",
    jwks_url="https://i.example/keys",
)
ACME = Provider(
    "acme", "https://acme.example/token", authorize_url="https://acme.example/a", connect=CONSENT
)
CLAIMS = {
    "iss": "https://i.example/t1", "tid": "t1", "aud": "id", "sub": "7", "exp": NOW + 60, "nonce": "n",
}  # fmt: skip
HELD = Held(Reply(200), nonce_hash=hashed("n"))


@cache
def key(name: str) -> ec.EllipticCurvePrivateKey:
    """Returns a key of its own for each name."""
    del name
    return ec.generate_private_key(ec.SECP256R1())


class Keys:
    """Keys of one URL, or none yet."""

    def __init__(self, trouble: Exception | None = None) -> None:
        self.trouble = trouble

    def key(self, url: str, key_id: str) -> object:
        """Returns the public key "k1" of the issuer."""
        assert url == "https://i.example/keys"
        if self.trouble is not None:
            raise self.trouble
        return key("issuer").public_key() if key_id == "k1" else None


def told(
    keys: Keys | None = None,
    *,
    by: str = "issuer",
    kid: str | None = "k1",
    provider: Provider = ACME,
    **claims: Any,
) -> object:
    """Returns what is believed of a token with these claims; of a refusal the sentence."""
    headers = {"kid": kid} if kid else {}
    token = jwt.encode({**CLAIMS, **claims}, key(by), "ES256", headers)
    party = Party(provider, ClientCredentials("id", None))
    found = believed(party, HELD, token, cast("KeySets", keys or Keys()), NOW)
    if isinstance(found, Trouble):
        assert found.code is Problem.ACCOUNT_UNKNOWN
        return found.sentence.partition(", but ")[2]
    return found


def test_a_good_token_is_believed():
    """Its signature is one of the issuer's keys."""
    assert told() == CLAIMS


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"by": "stranger"}, "the id_token is not signed by its issuer (InvalidSignatureError)"),
        ({"kid": "k2"}, "the id_token names no key of its issuer"),
        ({"kid": None}, "the id_token names no key of its issuer"),
        ({"aud": "other"}, "the id_token is for another app"),
        ({"iss": "https://i.example/t2"}, "the id_token is of another issuer than https://i.example/t1"),
        ({"nonce": "m"}, "the id_token has the nonce of another attempt"),
    ],
)  # fmt: skip
def test_another_token_is_not(given: dict[str, Any], sentence: str):
    """Whoever made it: the sentence says what is wrong, and repeats nothing of it."""
    assert told(**given) == sentence


@pytest.mark.parametrize("trouble", [KeysWanted("https://i.example/keys"), KeysUnavailable("away")])
def test_keys_that_are_not_here_decide_nothing(trouble: Exception):
    """They are fetched, or it is tried again from what is held."""
    with pytest.raises(type(trouble)):
        told(Keys(trouble))


def test_without_keys_the_connection_to_the_token_endpoint_is_the_proof():
    """And what is no token at all tells nothing."""
    bare = replace(ACME, connect=replace(CONSENT, jwks_url=None))
    assert told(by="stranger", provider=bare) == CLAIMS
    party = Party(bare, ClientCredentials("id", None))
    assert believed(party, HELD, None, cast("KeySets", Keys()), NOW) is None


def test_without_a_challenge_only_the_nonce_ties_a_token_to_its_attempt():
    """So one without it is refused there, and taken elsewhere: some issuers forget it."""
    assert told(nonce=None) == {**CLAIMS, "nonce": None}
    bare = replace(ACME, pkce="no")
    assert told(nonce=None, provider=bare) == "the id_token has no nonce"


def test_a_callback_of_another_account_than_the_token_is_refused():
    """What passed through the browser is confirmed by what did not."""
    named = replace(ACME, connect=replace(CONSENT, callback_claims={"company": "sub"}))
    assert told(provider=named) == "company of the callback is another than sub of the id_token"
