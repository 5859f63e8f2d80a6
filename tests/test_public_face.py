"""What users see is what was frozen: nothing is lost by moving house, and what is new is said."""

from typing import Any

import pytest

from tests.public_face import PARTS, collect, frozen

MAY_GROW = {"openapi"}
"""A description, an example or a new operation hurts nobody; what is gone does."""
HOW = "`python -m tests.public_face` freezes it anew; say in CHANGELOG.md what changes for users"


@pytest.mark.parametrize("part", PARTS)
def test_users_see_what_was_frozen(part: str) -> None:
    """Each command, setting, import, metric, problem, actor and route is as the golden copy has it."""
    now, before = leaves(collect(part)), leaves(frozen(part))
    lost, new = sorted(before - now), sorted(now - before)
    assert (lost, [] if part in MAY_GROW else new) == ([], []), HOW


def leaves(value: Any, path: str = "") -> set[str]:
    """Every single value with the way to it, so that a difference is told as one line."""
    if isinstance(value, dict):
        return {leaf for key, item in value.items() for leaf in leaves(item, f"{path} > {key}")}
    if isinstance(value, list):
        return {leaf for item in value for leaf in leaves(item, f"{path} > -")} or {path}
    return {f"{path} = {value}"}
