"""How the keys of two processes stand to each other, as a table."""

import pytest

from refresher.rules.installation import Agreement, compare


@pytest.mark.parametrize(
    ("theirs", "ours", "expected"),
    [
        (["a"], ["a"], Agreement.SAME),
        (["b", "a"], ["b", "a"], Agreement.SAME),
        (["a", "b"], ["a"], Agreement.SAME),
        (["b", "a"], ["a", "b"], Agreement.OTHER_SEALS),
        (["a"], ["b", "a"], Agreement.CLOSED_THERE),
        (["a"], ["b"], Agreement.CLOSED_THERE),
        (["b", "a"], ["a"], Agreement.CLOSED_HERE),
        (["a"], [], Agreement.CLOSED_HERE),
        ([], [], Agreement.SAME),
    ],
)
def test_keys_are_compared_by_what_each_can_open(
    theirs: list[str], ours: list[str], expected: Agreement
) -> None:
    """The sealing key of each must be among the other's; then only their order may differ."""
    assert compare(theirs, ours) is expected
