"""The ledger by itself: what one request leaves behind. No server, no clock."""

import pytest

from refresher.devkit.oauth_server.admin import summary
from refresher.devkit.oauth_server.grants import GrantBook
from refresher.devkit.oauth_server.ledger import Delivery, Ledger, Rate, TokenCall
from refresher.devkit.oauth_server.options import Options
from refresher.devkit.oauth_server.tokens import Denied, Issued, Mint, Reply

NOW = 1_700_000_000.0
BOOK = GrantBook(Mint(b"k" * 32))
ISSUED = BOOK.grant("acct-0", NOW, Options())
SPENT = Denied("invalid_grant", "spent_token", presented_twice=True, family_revoked=True)


def play(
    ledger: Ledger, reply: Reply, delivery: Delivery = "answered", at: float = NOW
) -> TokenCall:
    """Runs one whole request of acct-0 through the ledger."""
    event = ledger.begin("acct-0", "fingerprint", at, kept=3)
    ledger.settle(event, reply)
    ledger.end(event, at + 1, delivery)
    return event


def test_an_issued_pair_is_counted_and_remembered() -> None:
    """A good answer counts as issued and leaves its generation, serial and interval."""
    ledger = Ledger()
    event = play(ledger, ISSUED)
    totals = summary(BOOK, ledger)
    assert (totals.requests, totals.issued, totals.requests_in_flight) == (1, 1, 0)
    assert (event.outcome, event.generation, event.serial) == ("issued", 0, 1)
    assert (event.began_at, event.ended_at, event.delivery) == (NOW, NOW + 1, "answered")
    assert ledger.trail("acct-0").last_request_at == NOW


def test_reuse_is_counted_in_total_and_for_its_grant() -> None:
    """A spent token counts as presented twice and refused, and its family as revoked."""
    ledger = Ledger()
    play(ledger, SPENT)
    totals = summary(BOOK, ledger)
    assert (totals.presented_twice, totals.families_revoked) == (1, 1)
    assert totals.refused == {"invalid_grant": 1}
    assert ledger.trail("acct-0").presented_twice == 1


@pytest.mark.parametrize(
    ("kind", "issued", "replayed"),
    [("issued", 1, 0), ("replayed", 0, 1), ("reissued", 1, 1), ("reuse_ignored", 1, 0)],
)
def test_replays_and_new_pairs_are_told_apart(kind: str, issued: int, replayed: int) -> None:
    """Only a new pair counts as issued, only a forgiven replay as replayed in the grace."""
    ledger = Ledger()
    reply = Issued(ISSUED.family, kind, 1, 2, "at", "rt", 60.0, None, kind != "issued")  # type: ignore[arg-type]
    play(ledger, reply)
    totals = summary(BOOK, ledger)
    assert (totals.issued, totals.replayed_in_grace) == (issued, replayed)
    assert totals.presented_twice == (kind != "issued")


@pytest.mark.parametrize("delivery", ["dropped", "truncated", "client_gone"])
@pytest.mark.parametrize(("reply", "dropped"), [(ISSUED, 1), (SPENT, 0)])
def test_only_a_changed_grant_can_lose_its_answer(
    reply: Reply, dropped: int, delivery: Delivery
) -> None:
    """A lost answer counts as dropped where a pair was in it; a lost refusal is no loss."""
    ledger = Ledger()
    play(ledger, reply, delivery)
    assert summary(BOOK, ledger).dropped_answers == dropped


def test_requests_in_flight_for_one_grant_overlap() -> None:
    """A request that begins while another of the same grant is under way counts as overlapping."""
    ledger = Ledger()
    first = ledger.begin("acct-0", None, NOW, kept=3)
    second = ledger.begin("acct-0", None, NOW, kept=3)
    ledger.begin("acct-1", None, NOW, kept=3)
    ledger.end(first, NOW, "answered")
    ledger.end(second, NOW, "answered")
    totals = summary(BOOK, ledger)
    assert (totals.overlapping_requests, ledger.trail("acct-0").overlapping) == (1, 1)
    assert (totals.requests_in_flight, totals.requests_in_flight_max) == (1, 3)


def test_a_fault_instead_of_an_answer_is_no_decision() -> None:
    """A fault before the commit is counted by kind, and the event says that nothing was decided."""
    ledger = Ledger()
    event = ledger.begin("acct-0", None, NOW, kept=3)
    ledger.inject(event, "status_500", instead_of_answer=True)
    ledger.end(event, NOW, "answered")
    assert (event.outcome, event.fault) == ("fault", "status_500")
    assert summary(BOOK, ledger).faults == {"status_500": 1}


def test_a_grant_remembers_its_last_events_only() -> None:
    """With three events kept, the fourth pushes the first out; the counts go on."""
    ledger = Ledger()
    for second in range(4):
        play(ledger, ISSUED, at=NOW + second)
    trail = ledger.trail("acct-0")
    assert [event.began_at - NOW for event in trail.events] == [1, 2, 3]
    assert trail.requests == 4


def test_an_unknown_token_leaves_no_trail() -> None:
    """A request of nobody's counts in the totals and under no grant."""
    ledger = Ledger()
    event = ledger.begin(None, "fingerprint", NOW, kept=3)
    ledger.end(event, NOW, "answered")
    assert summary(BOOK, ledger).requests == 1
    assert ledger.trail("acct-0").requests == 0


def test_requests_per_second_are_bounded() -> None:
    """Buckets of seconds are kept up to a limit, the oldest leaving first."""
    rate = Rate(seconds_kept=2)
    for at in (1.0, 1.5, 2.0, 3.9):
        rate.count(at)
    assert rate.buckets == {2: 1, 3: 1}
