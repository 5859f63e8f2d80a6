"""The life that a token tells of itself."""

from __future__ import annotations

import pytest

from refresher.rules.connection import Secret
from refresher.rules.lives import in_jwt
from tests.rules.samples import EPOCH, jwt


@pytest.mark.parametrize(
    ("token", "life"),
    [
        (jwt({"exp": EPOCH + 900}), 900.0),
        (jwt({"exp": str(EPOCH + 900)}), 900.0),
        (jwt({"exp": EPOCH + 900.5, "name": "caf\u00e9"}), 900.5),
        (jwt({"exp": EPOCH}), 0.0),
        (jwt({"exp": EPOCH - 1}), 0.0),
        (jwt({"exp": (EPOCH + 900) * 1000}), 900.0),
        (jwt({"exp": EPOCH + 11 * 366 * 86_400}), None),
        (jwt({"exp": 10**400}), None),
        (jwt({"exp": float("nan")}), None),
        (jwt({"exp": None}), None),
        (jwt({"exp": [1]}), None),
        (jwt({"exp": "soon"}), None),
        (jwt({}), None),
        (jwt([]), None),
        (jwt("exp"), None),
        (jwt(7), None),
        ("a.b.c", None),
        ("a.\u00e9.c", None),
        ("a.////.c", None),
        ("a..c", None),
        ("opaque", None),
        ("a.b", None),
        ("a.b.c.d.e", None),
        ("", None),
    ],
)
def test_a_jwt_tells_its_own_life(token: str, life: float | None) -> None:
    """M18: `exp` is read where there is one, 0 when it is past; an odd token tells nothing."""
    assert in_jwt(Secret(token), EPOCH) == life


def test_a_jwt_of_any_depth_tells_nothing() -> None:
    """M7: a payload that no parser takes is no reason to fail."""
    deep = jwt(None).split(".")
    deep[1] = "W1tb" * 40_000  # "[[[" in base64
    assert in_jwt(Secret(".".join(deep)), EPOCH) is None
