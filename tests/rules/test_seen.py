"""Ids that are remembered in little memory, each with the place where it was seen first."""

from random import Random
from uuid import UUID, uuid5

import pytest

from refresher.rules.seen import Seen

NAMESPACE = UUID(int=0)


def test_each_id_is_seen_first_where_it_was_added_first():
    """Ten thousand ids, a tenth of them twice: as a dictionary has them."""
    dice, seen, expected = Random(5), Seen(), dict[UUID, int]()
    for place in range(10_000):
        id_ = uuid5(NAMESPACE, str(dice.randrange(9_000)))
        assert seen.add(id_, place) == expected.setdefault(id_, place)
    assert {id_: seen.first(id_) for id_ in expected} == expected
    assert uuid5(NAMESPACE, "other") not in seen
    assert seen.first(uuid5(NAMESPACE, "other")) is None
    assert next(iter(expected)) in seen


@pytest.mark.parametrize("there", [[0], [0, 0]])
def test_the_middle_of_two_records_is_no_id(there: list[int]):
    """Bytes that stand there, but not where an id begins, are nobody's."""
    seen = Seen()
    for number, place in enumerate(there):
        seen.add(UUID(int=(1 << 112 | number + 1)), place)
    # What the first row of bytes has from its second byte on, as an id with the same beginning.
    assert UUID(bytes=b"\x00\x01" + b"\x00" * 14) not in seen
    assert seen.add(UUID(bytes=b"\x00\x01" + b"\x00" * 14), 7) == 7
    assert seen.first(UUID(int=(1 << 112 | 1))) == 0


def test_a_place_may_be_far():
    """Line numbers above four thousand million are told as they are."""
    seen = Seen()
    assert seen.add(UUID(int=3), 2**40) == 2**40
    assert seen.add(UUID(int=3), 5) == 2**40
