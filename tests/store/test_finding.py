"""Finding connections by what people type."""

from __future__ import annotations

import pytest

from refresher.store import finding
from refresher.store.finding import Unsearchable
from tests.store.test_lists import KINDS
from tests.world import World


@pytest.mark.parametrize("whose", [None, "org"])
def test_people_find_connections_by_what_they_know(world: World, whose: str | None) -> None:
    """The external id or its beginning, the name's whatever the case, four digits of the id or more."""
    id_ = world.connect("Acct-1042", name="Ann's Mailbox")
    world.connect("Acct-10421", name="50% off_")
    world.connect("acct-1042")
    with world.services.database.transaction() as db:

        def found(text: str) -> list[str]:
            return [row.external_id for row in finding.search(db, text, whose).rows]

        assert found("Acct-1042") == ["Acct-1042", "Acct-10421"]
        assert found(" acct-1042 ") == ["acct-1042"]
        assert found("ann's m") == found("ANN'S MAILBOX") == ["Acct-1042"]
        assert "Acct-1042" in found(str(id_)[:4])
        assert found(str(id_)) == found(id_.hex) == ["Acct-1042"]
        assert found("50% off_") == ["Acct-10421"]
        for nothing in ("", "Acct%", "Acct-_042", "zzz", "' or true --", "\U0001f600"):
            assert found(nothing) == []


def test_a_search_sees_no_others_and_deleted_ones_where_it_may(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of another organization there is nothing, whatever its size; deleted ones are the operators'."""
    id_ = world.connect("foreign", organization_id="other")
    gone = world.connect("gone")
    world.run(KINDS["deleted"][0], id=gone)
    for most in (10_000, 1):
        monkeypatch.setattr(finding, "MOST_LOOKED", most)
        with world.services.database.transaction() as db:
            for text in ("foreign", "for", str(id_)):
                assert finding.search(db, text, "org").rows == []
                assert len(finding.search(db, text, "other").rows) == 1
            assert finding.search(db, "gone").rows == []
            assert [r.id for r in finding.search(db, "gone", sees_deleted=True).rows] == [gone]


def test_more_than_fit_are_told(world: World) -> None:
    """The exact one stands first, however many begin like it."""
    for n in range(5):
        world.connect(f"1{n}")
    world.connect("1")
    with world.services.database.transaction() as db:
        found = finding.search(db, "1", limit=3)
    assert [row.external_id for row in found.rows] == ["1", "10", "11"]
    assert found.is_cut


@pytest.mark.parametrize("text", ["x" * 10_000, "a\x00b", "a\nb", "\u202e"])
def test_what_no_id_can_be_is_not_looked_for(world: World, text: str) -> None:
    """A sentence says why."""
    with world.services.database.transaction() as db, pytest.raises(Unsearchable):
        finding.search(db, text)
