"""What needs a person, as a table; and what does not."""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

import pytest

from refresher.rules.connection import ParkReason
from refresher.rules.need_facts import (
    AilingProcess,
    DisabledEndpoint,
    Group,
    MailTrouble,
    NeedFacts,
    RefusedApp,
)
from refresher.rules.needs import NO_BLOCK, WHY_BLOCKED, NeedKind, counted, needs, plain

SINCE, ENDS = (datetime(2026, 11, 29, 14, minute, tzinfo=UTC) for minute in (24, 36))
HOOK = UUID("0193a1f0-0000-7000-8000-000000000001")
GONE = ParkReason.RECONNECT_REQUIRED
REFUSED = RefusedApp(
    "quickbooks", "QuickBooks Online", "default", "invalid_client", SINCE, 682, ENDS
)


def told(facts: NeedFacts) -> list[tuple[str, str, str, str]]:
    """Returns title, words, tone and link of each need."""
    return [(need.title, plain(need.words), need.tone, need.link) for need in needs(facts)]


def gone(number: int, untold: int, groups: Sequence[Group] = ()) -> NeedFacts:
    """Returns so many connections that have to be connected again."""
    return NeedFacts(parked={GONE: number}, untold=untold, by_provider={GONE: groups})


HUBSPOT, OTHERS = Group("hubspot", "HubSpot", 31, latest_at=SINCE), Group("zoho", "Zoho", 7)
LIST, ONE = "/ui/connections?health=reconnect_required", ("1 connection has to be connected again")


@pytest.mark.parametrize(
    ("facts", "title", "words", "tone", "link"),
    [
        (
            NeedFacts(refused=[REFUSED]),
            "QuickBooks Online refuses our app quickbooks/default",
            ("invalid_client since 14:24. 682 connections wait for it; the first of their tokens ends "
            "at 14:36."),
            "bad", "/ui/apps/quickbooks/default",
        ),
        (
            NeedFacts(refused=[RefusedApp(
                "x", "X", "a/b", "unauthorized_client", SINCE, 1, ENDS, 1, organization_id="org-1"
            )]),
            "X refuses our app x/a/b, for org-1",
            ("unauthorized_client since 14:24. 1 connection waits for it; 1 of their tokens has ended; "
            "the next of their tokens ends at 14:36."),
            "bad", "/ui/apps/x/a%2Fb",
        ),
        (
            NeedFacts(refused=[RefusedApp("x", "X", "default", "no", SINCE, 10_001, None, 2)]),
            "X refuses our app x/default",
            "no since 14:24. More than 10,000 connections wait for it; 2 of their tokens have ended.",
            "bad", "/ui/apps/x/default",
        ),
        (
            NeedFacts(refused=[RefusedApp("x", "X", "default", "no", SINCE, 0)]),
            "X refuses our app x/default",
            "no since 14:24. No connection waits for it yet.",
            "bad", "/ui/apps/x/default",
        ),
        (
            gone(38, 6, [HUBSPOT, OTHERS]),
            "38 connections have to be connected again",
            ("31 at HubSpot, the last one at 14:24, 7 at others. Their owners were told; 6 have no "
            "recipient."),
            "bad", LIST,
        ),
        (gone(1, 0), ONE, "Whoever hears of it was told.", "bad", LIST),
        (gone(1, 1), ONE, "Nobody hears of it: there is no recipient.", "bad", LIST),
        (
            gone(7, 1, [OTHERS]),
            "7 connections have to be connected again",
            "7 at Zoho. Their owners were told; 1 has no recipient.",
            "bad", LIST,
        ),
        (
            gone(10_001, 0, [HUBSPOT]),
            "more than 10,000 connections have to be connected again",
            "31 at HubSpot, the last one at 14:24. Their owners were told.",
            "bad", LIST,
        ),
        (
            NeedFacts(parked={"undecryptable": 2}, organization_id="a b"),
            "2 connections are blocked",
            "No key opens their tokens.",
            "bad", "/ui/connections?health=blocked&organization=a+b",
        ),
        (
            NeedFacts(parked={"of_a_newer_version": 1}),
            "1 connection is blocked",
            "Of_a_newer_version.",
            "bad", "/ui/connections?health=blocked",
        ),
        (
            NeedFacts(by_provider={"app_not_configured": [Group("zoho", "Zoho", 3, "eu")]}),
            "No app zoho/eu is stored for Zoho",
            "3 connections wait. They go on once it is.",
            "bad", "/ui/apps/zoho/eu",
        ),
        (
            NeedFacts(by_provider={"unknown_provider": [Group("zo", "zo", 1)]}),
            "zo has no entry in the catalogue, or a wrong one",
            "1 connection waits. They go on once the providers file has it.",
            "bad", "/ui/doctor",
        ),
        (
            NeedFacts(by_provider={"unread_answer": [Group("xero", "Xero", 3)]}),
            "Xero answered and we could not read it",
            "3 connections wait. Their refresh tokens may be spent; the answers are kept, sealed.",
            "bad", "/ui/providers/xero",
        ),
        (
            NeedFacts(endpoints=[DisabledEndpoint(HOOK, "hooks.example.net", "it answered 410", 118)]),
            "A webhook endpoint is disabled",
            "hooks.example.net: it answered 410. 118 messages are held for it.",
            "warn", f"/ui/webhooks/{HOOK}",
        ),
        (
            NeedFacts(endpoints=[DisabledEndpoint(HOOK, host, "gone", 0) for host in ("a", "b")]),
            "2 webhook endpoints are disabled",
            "a is one: gone. 0 messages are held for them.",
            "warn", "/ui/webhooks",
        ),
        (
            NeedFacts(mail=MailTrouble(stopped="535 no")),
            "No mail goes out",
            "535 no. Mails wait until that is mended.",
            "warn", "/ui/recipients",
        ),
        (
            NeedFacts(mail=MailTrouble(given_up=2, last_reason="550 no such user")),
            "2 mails were given up",
            "The last one: 550 no such user.",
            "warn", "/ui/recipients",
        ),
        (
            NeedFacts(mail=MailTrouble(refused_addresses=1)),
            "1 recipient has a refused address",
            "They hear of nothing until it is mended.",
            "warn", "/ui/recipients",
        ),
        (
            NeedFacts(missing_roles=["scheduler"]),
            "No scheduler is running",
            "Connections wait to be refreshed. Start one: python -m refresher.scheduler",
            "bad", "/ui/doctor",
        ),
        (
            NeedFacts(ailing=[AilingProcess("worker", "work-1", 7, silent_seconds=300)]),
            "The worker on work-1 gives no sign of life",
            "Process 7 was last seen 5 min ago; see whether it is suspended, and restart it.",
            "warn", "/ui/doctor",
        ),
        (
            NeedFacts(ailing=[AilingProcess("web", "h", 7, job="sweep", reason="disk full")]),
            "A job of the web fails again and again",
            "The web on h (process 7), sweep: disk full",
            "warn", "/ui/doctor",
        ),
        (
            NeedFacts(broken=["providers.a", "b", "c", "d"]),
            "4 entries of the catalogue cannot be used",
            "providers.a, b, c …: nothing of it counts.",
            "warn", "/ui/doctor",
        ),
        (
            NeedFacts(broken=["providers.a"]),
            "1 entry of the catalogue cannot be used",
            "providers.a: nothing of it counts.",
            "warn", "/ui/doctor",
        ),
    ],
)  # fmt: skip
def test_a_need_says_what_it_is_and_where_it_is_seen_to(
    facts: NeedFacts, title: str, words: str, tone: str, link: str
) -> None:
    """Title, sentence, tone and link of each kind."""
    assert told(facts) == [(title, words, tone, link)]


def test_nothing_that_heals_itself_or_was_wished_for_needs_anybody() -> None:
    """What was paused, disabled or deleted on purpose is none, and nothing is nothing."""
    assert needs(NeedFacts()) == ()
    assert needs(NeedFacts(parked=dict.fromkeys(NO_BLOCK - {GONE}, 5))) == ()


def test_the_worst_comes_first_and_the_left_column_adds_up() -> None:
    """What stops refreshes stands before what people are told by; numbers go to their sections."""
    found = needs(
        NeedFacts(
            broken=["a"], refused=[REFUSED], missing_roles=["worker"],
            parked={GONE: 38, "crash_loop": 2, "unread_answer": 3},
            by_provider={"unread_answer": [Group("xero", "Xero", 3)]},
        )
    )  # fmt: skip
    assert [need.kind for need in found] == [
        NeedKind.PROCESS_MISSING, NeedKind.APP_REFUSED, NeedKind.UNREAD, NeedKind.BLOCKED,
        NeedKind.RECONNECT, NeedKind.ENTRY_BROKEN,
    ]  # fmt: skip
    assert counted(found) == {"doctor": 1, "providers": 3, "apps": 1, "connections": 40}
    assert counted(()) == {}


@pytest.mark.parametrize("reason", [reason for reason in ParkReason if reason not in NO_BLOCK])
def test_each_reason_that_blocks_has_words(reason: ParkReason) -> None:
    """A new reason cannot be forgotten."""
    assert reason in WHY_BLOCKED
