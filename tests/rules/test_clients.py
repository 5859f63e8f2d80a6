"""Our clients' material: one text there and back; what is no key, or does not fit, is a sentence."""

import json
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from refresher.errors import InvalidApp
from refresher.rules.app_checks import checked
from refresher.rules.clients import (
    ClientCredentials,
    material_names,
    material_of,
    swapped,
    with_material,
)
from refresher.rules.connection import Secret
from tests.proofs.samples import certificate, ec_key, pem

KEY, CERTIFICATE = pem(ec_key()), certificate(ec_key())
RSA, SHORT = (pem(rsa.generate_private_key(65_537, bits)) for bits in (2_048, 1_024))

BARE = ClientCredentials("id", Secret("secret"))
WHOLE = ClientCredentials(
    "id",
    Secret("secret"),
    Secret("former"),
    Secret(KEY),
    "key-1",
    CERTIFICATE,
    Secret(KEY),
    {"redirect_uri": "https://app.example/back"},
)
NAMES = [
    *("certificate", "certificate_key", "key_id", "placeholders.redirect_uri"),
    *("previous_client_secret", "private_key"),
]


@pytest.mark.parametrize(
    ("client", "names"),
    [
        (BARE, []),
        (WHOLE, NAMES),
        (replace(BARE, placeholders={"a": "1"}), ["placeholders.a"]),
        (replace(BARE, private_key=Secret("k")), ["private_key"]),
    ],
)
def test_material_is_one_text_and_comes_back(client: ClientCredentials, names: list[str]):
    """What was put in comes out; there is none where nothing is beside id and secret."""
    text = material_of(client)

    assert with_material("id", Secret("secret"), text) == client
    assert material_names(client) == names
    assert (text is None) is not bool(names)


def test_the_other_secret_is_tried_in_the_place_of_the_first():
    """Nothing else of the client changes, and twice is once more."""
    other = swapped(WHOLE)
    assert (other.client_secret, other.previous_client_secret) == (
        Secret("former"),
        Secret("secret"),
    )
    assert swapped(other) == WHOLE


def test_a_client_shows_no_secret():
    """Neither secrets nor keys, nor values that may be some, stand in its repr."""
    shown = repr(WHOLE) + repr(material_of(WHOLE))
    assert "PRIVATE" not in shown
    assert "former" not in shown
    assert "app.example" not in shown


def test_keys_are_stored_in_one_form():
    """A key file of Google's brings the key's name along; one that is given wins."""
    file = Secret(json.dumps({"private_key": RSA, "private_key_id": "of the file"}))
    for given, name in ((None, "of the file"), ("mine", "mine")):
        found = checked(replace(BARE, private_key=file, key_id=given))
        assert found.key_id == name
        assert found.private_key == Secret(RSA)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({}, None),
        ({"previous_client_secret": Secret("former")}, None),
        ({"private_key": Secret(KEY), "key_id": "k"}, None),
        ({"certificate": CERTIFICATE, "certificate_key": Secret(KEY)}, None),
        (
            {"client_secret": None, "previous_client_secret": Secret("x")},
            "previous_client_secret is set, but client_secret, which follows it, is missing",
        ),
        ({"previous_client_secret": Secret("secret")}, "is the same as client_secret"),
        ({"key_id": "k"}, "key_id is set, but private_key, which it names, is missing"),
        ({"private_key": Secret("hush")}, "private_key is no private key: give PEM"),
        ({"private_key": Secret(SHORT)}, "private_key is an RSA key of 1,024 bits"),
        ({"certificate": CERTIFICATE}, "certificate is set, but certificate_key is missing"),
        ({"certificate_key": Secret(KEY)}, "certificate_key is set, but certificate is missing"),
        (
            {"certificate": "hush", "certificate_key": Secret(KEY)},
            "certificate is no certificate: give PEM",
        ),
        (
            {"certificate": CERTIFICATE, "certificate_key": Secret("hush")},
            "certificate_key is no private key: give PEM",
        ),
        (
            {"certificate": CERTIFICATE, "certificate_key": Secret(RSA)},
            "certificate_key does not belong to certificate",
        ),
    ],
)
def test_what_is_no_key_or_does_not_fit_is_a_sentence(
    changes: dict[str, object], sentence: str | None
):
    """One sentence, which begins with the field, and repeats nothing of it."""
    client = replace(BARE, **changes)  # type: ignore[arg-type]
    if sentence is None:
        assert checked(client).client_secret == BARE.client_secret
        return
    with pytest.raises(InvalidApp) as refused:
        checked(client)
    assert len(refused.value.sentences) == 1
    assert sentence in str(refused.value)
    assert "hush" not in str(refused.value)
