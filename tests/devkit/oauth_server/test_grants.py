"""The grant book as tables: which token is good, what a refresh gives. No server, no clock."""

from collections.abc import Callable

import pytest

from refresher.devkit.oauth_server.grants import GrantBook
from refresher.devkit.oauth_server.options import Options
from refresher.devkit.oauth_server.tokens import Denied, Issued, Mint, Reply

NOW = 1_700_000_000.0
KEY = b"k" * 32


def never() -> float:
    """Dice that never roll low enough."""
    return 1.0


class Played:
    """One account in a book, and a short way to refresh it."""

    def __init__(self, **options: object) -> None:
        self.options = Options().changed(options)
        self.book = GrantBook(Mint(KEY))
        self.first = self.book.grant("acct-0", NOW, self.options)
        assert self.first.refresh_token is not None
        self.first_token = self.first.refresh_token

    def refresh(
        self, token: str, at: float = NOW, dice: Callable[[], float] = never
    ) -> Issued | Denied:
        """Presents a token."""
        return self.book.refresh(token, at, self.options, dice)

    def good(self, token: str, at: float = NOW, dice: Callable[[], float] = never) -> Issued:
        """Presents a token that must be good."""
        reply = self.refresh(token, at, dice)
        assert isinstance(reply, Issued), reply
        return reply

    def newest(self) -> tuple[str, str | None]:
        """Returns the pair that is the newest now."""
        return self.book.current_tokens(self.first.family, self.options)


def refused(reply: Reply) -> Denied:
    """Narrows a reply that must be a refusal."""
    assert isinstance(reply, Denied), reply
    return reply


def token_of(issued: Issued) -> str:
    """Narrows an answer that must tell a refresh token."""
    assert issued.refresh_token is not None
    return issued.refresh_token


def test_a_rotation_gives_a_new_pair_and_spends_the_old_token() -> None:
    """With rotation, a refresh answers a new pair and the presented token is spent."""
    played = Played(rotation="always")
    issued = played.good(played.first_token)
    assert issued.kind == "issued"
    assert issued.generation == 1
    assert issued.refresh_token != played.first_token
    assert issued.access_token != played.first.access_token
    assert not played.book.is_refresh_usable(played.first_token, NOW, played.options)
    assert played.book.is_refresh_usable(token_of(issued), NOW, played.options)


def test_without_rotation_the_token_stays() -> None:
    """Without rotation, the same refresh token works again and again and is never reuse."""
    played = Played(rotation="none")
    replies = [played.good(played.first_token) for _ in range(3)]
    assert {reply.refresh_token for reply in replies} == {played.first_token}
    assert len({reply.access_token for reply in replies}) == 3
    assert not any(reply.presented_twice for reply in replies)


def test_every_nth_refresh_rotates() -> None:
    """With rotation_every_nth=3, the third and the sixth refresh rotate, and no other."""
    played = Played(rotation="sometimes", rotation_every_nth=3)
    token, generations = played.first_token, []
    for _ in range(6):
        issued = played.good(token)
        token = token_of(issued)
        generations.append(issued.generation)
    assert generations == [0, 0, 1, 1, 1, 2]


@pytest.mark.parametrize(("roll", "generation"), [(0.29, 1), (0.3, 0), (0.99, 0)])
def test_rotation_follows_its_probability(roll: float, generation: int) -> None:
    """With rotation_probability=0.3, a roll under 0.3 rotates."""
    played = Played(rotation="sometimes", rotation_probability=0.3)
    assert played.good(played.first_token, dice=lambda: roll).generation == generation


@pytest.mark.parametrize(
    ("reuse", "is_answered", "is_alive", "is_revoked"),
    [
        ("ignore", True, True, False),
        ("refuse", False, True, False),
        ("revoke_family", False, False, True),
    ],
)
def test_reuse_has_the_configured_effect(
    reuse: str, is_answered: bool, is_alive: bool, is_revoked: bool
) -> None:
    """A spent token outside the grace is ignored, refused, or ends its family with all tokens."""
    played = Played(reuse=reuse)
    newer = played.good(played.first_token)
    reply = played.refresh(played.first_token, NOW + 1)
    assert isinstance(reply, Issued) is is_answered
    assert reply.presented_twice
    assert played.first.family.alive is is_alive
    assert played.book.is_access_active(newer.access_token, NOW, played.options) is is_alive
    assert (isinstance(reply, Denied) and reply.family_revoked) is is_revoked


def test_ignored_reuse_makes_the_newest_token_the_only_live_one() -> None:
    """With reuse=ignore, a spent token buys a new pair, which spends the pair before it."""
    played = Played(reuse="ignore")
    second = played.good(played.first_token)
    third = played.good(played.first_token, NOW + 1)
    assert third.kind == "reuse_ignored"
    assert third.generation == 2
    assert played.first.family.is_spent(second.generation)


def test_a_family_is_revoked_once() -> None:
    """Reuse after the family's end is counted as presented twice, not as a second revocation."""
    played = Played(reuse="revoke_family")
    played.good(played.first_token)
    assert refused(played.refresh(played.first_token)).family_revoked
    again = refused(played.refresh(played.first_token))
    assert (again.reason, again.family_revoked) == ("reuse_detected", False)
    assert again.presented_twice


@pytest.mark.parametrize(
    ("after_seconds", "kind"),
    [(0.0, "replayed"), (9.999, "replayed"), (10.0, None), (11.0, None)],
)
def test_the_grace_ends_at_its_last_instant(after_seconds: float, kind: str | None) -> None:
    """A token spent up to ten seconds ago replays; from the tenth second on it is reuse."""
    played = Played(grace_seconds=10)
    played.good(played.first_token)
    reply = played.refresh(played.first_token, NOW + after_seconds)
    assert (reply.kind if isinstance(reply, Issued) else None) == kind


def test_no_grace_never_replays() -> None:
    """With grace_seconds=0, a second request at the very same instant is reuse."""
    played = Played(grace_seconds=0, reuse="refuse")
    played.good(played.first_token)
    assert refused(played.refresh(played.first_token)).reason == "spent_token"


def test_a_replay_returns_the_current_pair_with_what_is_left_of_it() -> None:
    """With replay_mode=same, a replay tells the same pair, four seconds shorter after four."""
    played = Played(grace_seconds=10, lifetime_seconds=60)
    issued = played.good(played.first_token)
    replayed = played.good(played.first_token, NOW + 4)
    assert replayed.access_token == issued.access_token
    assert replayed.refresh_token == issued.refresh_token
    assert replayed.expires_in_seconds == pytest.approx(56)
    assert replayed.presented_twice


def test_a_replay_never_returns_a_dead_access_token() -> None:
    """A replay after the access token's end tells a fresh one beside the same refresh token."""
    played = Played(grace_seconds=100, lifetime_seconds=20)
    issued = played.good(played.first_token)
    replayed = played.good(played.first_token, NOW + 30)
    assert replayed.refresh_token == issued.refresh_token
    assert played.book.is_access_active(replayed.access_token, NOW + 31, played.options)


def test_a_replay_can_give_a_new_pair() -> None:
    """With replay_mode=new, a replay rotates once more and spends the pair in between."""
    played = Played(grace_seconds=10, replay_mode="new")
    between = played.good(played.first_token)
    newest = played.good(played.first_token, NOW + 1)
    assert (newest.kind, newest.generation) == ("reissued", 2)
    assert played.newest()[1] == newest.refresh_token
    assert played.first.family.is_spent(between.generation)


@pytest.mark.parametrize("rotation", ["none", "always"])
def test_an_omitted_refresh_token_stays_valid(rotation: str) -> None:
    """With omit_refresh_token, answers tell none and the one already held goes on working."""
    played = Played(rotation=rotation, omit_refresh_token=True)
    issued = played.good(played.first_token)
    assert issued.refresh_token is None
    assert played.book.is_refresh_usable(played.first_token, NOW, played.options)


def test_a_refresh_token_is_told_when_it_changes() -> None:
    """With rotation=sometimes and omit_refresh_token, only a changed refresh token is told."""
    played = Played(rotation="sometimes", rotation_every_nth=2, omit_refresh_token=True)
    assert played.good(played.first_token).refresh_token is None
    assert played.good(played.first_token).refresh_token is not None


@pytest.mark.parametrize(("end", "answered_at_150"), [("sliding", True), ("fixed", False)])
def test_a_refresh_token_ends(end: str, answered_at_150: bool) -> None:
    """A life of 100 s ends 100 s after the last refresh (sliding) or the consent (fixed)."""
    played = Played(refresh_token_lifetime_seconds=100, refresh_token_end=end)
    issued = played.good(played.first_token, NOW + 60)
    expected = 100 if end == "sliding" else 40
    assert issued.refresh_token_expires_in_seconds == pytest.approx(expected)
    reply = played.refresh(token_of(issued), NOW + 150)
    assert isinstance(reply, Issued) is answered_at_150
    if isinstance(reply, Denied):
        assert reply.reason == "refresh_token_expired"


def test_access_tokens_live_their_lifetime_and_overlap() -> None:
    """An access token is good up to its end, whether or not a newer one was issued."""
    played = Played(lifetime_seconds=20)
    played.good(played.first_token)
    assert played.book.is_access_active(played.first.access_token, NOW + 19.9, played.options)
    assert not played.book.is_access_active(played.first.access_token, NOW + 20, played.options)


@pytest.mark.parametrize(
    "token", ["", "x", "a.b.c", "fake-rt_0_0_ffff", "fake-rt_9_9_" + "0" * 32, "é_1_2_3"]
)
def test_a_strangers_token_is_refused(token: str) -> None:
    """A token that this provider did not mint is invalid_grant, whatever it looks like."""
    played = Played()
    assert refused(played.refresh(token)).reason == "unknown_token"
    assert not played.book.is_access_active(token, NOW, played.options)
    assert played.book.owner(token) is None


def test_an_access_token_is_no_refresh_token() -> None:
    """Presenting an access token for a refresh is refused like a stranger's."""
    played = Played()
    assert refused(played.refresh(played.first.access_token)).reason == "unknown_token"


def test_a_new_consent_replaces_the_old_family() -> None:
    """Granting a known account again gives a live family; tokens of the old one are dead."""
    played = Played()
    played.first.family.end("consent_withdrawn")
    renewed = played.book.grant("acct-0", NOW, played.options)
    assert isinstance(played.refresh(token_of(renewed)), Issued)
    assert refused(played.refresh(played.first_token)).reason == "consent_withdrawn"
    assert len(played.book.accounts) == 1


def test_revoking_an_access_token_leaves_the_refresh_token() -> None:
    """Revoking an access token ends that one; revoking the refresh token ends all."""
    played = Played()
    assert played.book.revoke_token(played.first.access_token)
    assert not played.book.is_access_active(played.first.access_token, NOW, played.options)
    issued = played.good(played.first_token)
    assert played.book.revoke_token(token_of(issued))
    assert not played.book.is_access_active(issued.access_token, NOW, played.options)
    assert refused(played.refresh(token_of(issued))).reason == "token_revoked"


def test_tokens_do_not_show_in_a_repr() -> None:
    """An answer's repr names the account's state and none of its tokens."""
    played = Played()
    assert played.first_token not in repr(played.first)
    assert played.first.access_token not in repr(played.first)
