"""A chunk that is judged before its turn: it is stored so, or judged again where something changed."""

from typing import Any
from unittest import mock

from refresher.connections import registration
from refresher.connections.registration import judge_ahead, take
from refresher.rules.registration import read
from tests.connections.registration.kit import ENTRY, LINE, NAMES, Opened


def judgings(place: Any, lines: list[dict[str, Any]], change: Any) -> tuple[Any, int]:
    """What becomes of lines judged ahead, when `change` comes between; how often they are judged."""
    chunk = [read(line) for line in lines]
    with mock.patch.object(registration, "judged", wraps=registration.judged) as counted:
        ahead = judge_ahead(place.services, chunk)
        before = counted.call_count
        change()
        after_change = counted.call_count
        taken = take(place.services, chunk, ahead=ahead)
        return taken, before + counted.call_count - after_change


def test_what_was_judged_ahead_is_stored_as_it_was_judged(opened: Opened):
    """Nothing changed meanwhile: new ones, and one that is refused, are judged once."""
    place = opened(ENTRY)
    page = {**NAMES, "external_id": "page", "root_external_id": "nobody"}
    taken, times = judgings(place, [LINE, page], lambda: None)
    assert (taken.created, list(taken.rejected), times) == (1, [1], 1)
    again, times = judgings(place, [LINE, page], lambda: None)
    assert (again.created, again.reconnected, list(again.rejected), times) == (0, 1, [1], 1)


def test_what_changed_meanwhile_is_judged_again(opened: Opened):
    """The connection came, its root came, or its app: by what stands now, in the same transaction."""
    place = opened(ENTRY)
    page = {**NAMES, "external_id": "page", "root_external_id": "1042"}
    taken, times = judgings(place, [page], lambda: take(place.services, [read(LINE)]))
    assert (taken.created, taken.rejected, times) == (1, {}, 2)
    other = {**LINE, "external_id": "other"}
    taken, times = judgings(place, [other], lambda: take(place.services, [read(other)]))
    assert (taken.created, taken.reconnected, times) == (0, 1, 2)


def test_what_was_judged_long_ago_is_judged_again(opened: Opened):
    """Lives are counted from the clock of the judging, so it holds for a second."""
    place = opened(ENTRY)
    with mock.patch.object(registration, "AHEAD_SECONDS", -1.0):
        taken, times = judgings(place, [LINE], lambda: None)
    assert (taken.created, times) == (1, 2)
