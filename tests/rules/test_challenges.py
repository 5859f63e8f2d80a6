"""Challenges of resource servers: RFC 6750 section 3, RFC 9728 section 5.1."""

from __future__ import annotations

import pytest

from refresher.rules.challenges import bearer, wanted_scopes

PLACE = "https://a.example/.well-known/oauth-protected-resource"
R = 'a "Bearer scope=x" b'


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("", {}),
        ("Bearer", {}),
        ('Basic realm="a"', {}),
        (f'Bearer resource_metadata="{PLACE}"', {"resource_metadata": PLACE}),
        (f"bearer RESOURCE_METADATA = {PLACE} , scope=a", {"resource_metadata": PLACE, "scope": "a"}),
        ('Basic realm="x", Bearer scope="a b"', {"scope": "a b"}),
        ('Bearer scope="a", Basic realm="x"', {"scope": "a"}),
        ('Bearer scope="a", scope="b"', {"scope": "a"}),
        (r'Bearer realm="a \"Bearer scope=x\" b", scope=c', {"realm": R, "scope": "c"}),
        ('Basic abc=, Bearer scope="a"', {"scope": "a"}),
        ('"Bearer scope=x" Bearer error=e', {"error": "e"}),
        ('Bearer scope="never ends', {}),
    ],
)  # fmt: skip
def test_a_bearer_challenge_is_read(header: str, said: dict[str, str]):
    """Its parameters and no other scheme's; nothing within quotes is taken for one."""
    assert bearer(header) == said


@pytest.mark.parametrize(
    ("status", "header", "scopes"),
    [
        (403, 'Bearer error="insufficient_scope", scope="a b a"', ("a", "b")),
        (403, 'Bearer error="insufficient_scope"', ()),
        (403, 'Bearer error="invalid_token"', None),
        (403, "", None),
        (401, 'Bearer error="insufficient_scope", scope="a"', None),
    ],
)
def test_a_token_that_is_not_enough_is_told_from_other_refusals(
    status: int, header: str, scopes: tuple[str, ...] | None
):
    """A 403 with `insufficient_scope` is the only one that more consent can mend."""
    assert wanted_scopes(status, header) == scopes
