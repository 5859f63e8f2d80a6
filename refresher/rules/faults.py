"""Decides how wide a fault is: one grant's, until others of the same scope are told the same.

Pure. What a provider says to one grant is that grant's. The wider scope is left alone only when as many
others as its `Quorum` asks for were told the same, with no success in that scope between:

    scope                              key                           who must agree
    one organization at one host       salesforce@na1.example#org    2 grants
    one host                           salesforce@na1.example        2 grants of 2 organizations
    one organization, whatever host    salesforce#org                3 hosts
    a whole provider, or app           salesforce                    3 hosts and 2 organizations
    … where there is but one host      google#org, then google       2 grants, then 2 organizations

Organizations are asked for because a grant's answer can be chosen by who owns it: a host of his own, or
a refresh token of another client. Two grants of one organization hold up that organization alone. A
success forgets what was told before it, an hour without a word does too. An app's keys begin with its
name, `google/default`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from refresher.rules import policy as when
from refresher.rules.connection import Connection, value
from refresher.rules.limits import BreakerPolicy, opens
from refresher.rules.placeholders import HOST, named_in
from refresher.rules.policy import Policy
from refresher.rules.providers import Provider

LONGEST_PAUSE_SECONDS = 900.0
"""However long a wait one answer asks for: nobody else waits longer for it before somebody probes."""
FORGET_SECONDS = 3_600.0
"""Evidence of which nothing was heard for so long is no evidence any more."""
MOST_WITNESSES = 20
SEVERAL_HOSTS = 3
TELL_AFTER = 3
"""So many refusals in a row of an app that has but one grant, and people are told."""


class Sort(StrEnum):
    """What a fault is about; only faults of one sort agree with each other."""

    REFUSED = "refused"  # the app: invalid_client, unauthorized_client and their like
    LIMITED = "limited"  # 429, or any answer that asks to wait
    SILENT = "silent"  # no answer, or a 5xx


FAMILY = {Sort.REFUSED: "app", Sort.LIMITED: "provider", Sort.SILENT: "provider"}
DOUBT_LIMIT_SECONDS = 300.0


@value
class Fault:
    """What a reply says that may be true for others too; `seconds` is the wait that it asks for."""

    sort: Sort
    reason: str
    seconds: float | None = None


@value
class Place:
    """Where a grant is refreshed; `host` is None where the provider has but one for everybody."""

    grant: str
    organization_id: str
    provider: str
    app_name: str
    host: str | None


@value
class Quorum:
    """Who must have been told the same before a scope is left alone."""

    grants: int = 2
    hosts: int = 1
    organizations: int = 1


@value
class FaultScope:
    """Whom a pause would hold: a provider's or an app's grants, all or those of a host and a tenant."""

    family: str
    provider: str
    app_name: str | None
    host: str | None
    organization_id: str | None
    quorum: Quorum

    @property
    def key(self) -> str:
        """What the scope is called within its family."""
        app = f"/{self.app_name}" if self.app_name is not None else ""
        host = f"@{self.host}" if self.host is not None else ""
        organization = f"#{self.organization_id}" if self.organization_id is not None else ""
        return f"{self.provider}{app}{host}{organization}"

    @property
    def name(self) -> str:
        """What the scope is called: `app:google/default`."""
        return f"{self.family}:{self.key}"


@value
class Witness:
    """A grant that was told so."""

    grant: str
    organization_id: str
    host: str | None


@value
class Evidence:
    """What is known against a scope. `refusals` counts its pauses in a row, 0 when it is not held.

    `left_seconds` is what is left of the pause, `age_seconds` the time since somebody was told so.
    """

    witnesses: tuple[Witness, ...] = ()
    failures: int = 0
    refusals: int = 0
    left_seconds: float = 0.0
    age_seconds: float = 0.0


@value
class ToldFault:
    """One grant's fault; `probed` tells that its request was let through a pause of this scope."""

    witness: Witness
    fault: Fault
    probed: bool = False


@dataclass(frozen=True, slots=True)
class Weighed:
    """What the evidence comes to; `pause_seconds` None leaves a pause, or none, as it stands.

    `is_new` tells that nobody was held before; `is_news` that this may be worth a person's while;
    `doubt_at_once` that the evidence is the least there can be, so the next grant may disprove it.
    """

    evidence: Evidence
    pause_seconds: float | None = None
    is_new: bool = False
    is_news: bool = False
    doubt_at_once: bool = False


def place_of(provider: Provider, connection: Connection) -> Place:
    """Returns where a connection is refreshed: at its own host, or at the entry's default one.

    Where the URL has other placeholders, their values are part of it: `eu.example/tenant-7`.
    """
    names = named_in([provider.refresh_url or provider.token_url])
    host = None
    if names:
        known = {HOST: provider.default_host or "", **provider.default_placeholders}
        if (
            connection.app and connection.app.material
        ):  # whose values are sealed, so its name stands
            known = dict.fromkeys(names, connection.app_name)
        known |= connection.placeholders or {}
        known |= {HOST: connection.host} if connection.host else {}
        host = "/".join(known.get(name, "").lower() for name in names)
    return Place(
        str(connection.id), connection.organization_id, provider.name, connection.app_name, host
    )


def place_of_fault(provider: Provider, connection: Connection, fault: Fault) -> Place:
    """Returns where a fault was met: a limit of the whole provider's was met at no host of its own."""
    place = place_of(provider, connection)
    everywhere = provider.pause_scope == "provider" and fault.sort is Sort.LIMITED
    return replace(place, host=None) if everywhere else place


def scopes(place: Place, family: str) -> tuple[FaultScope, ...]:
    """Returns the scopes that a grant belongs to, the widest first."""
    app = place.app_name if family == "app" else None

    def scope(host: str | None, organization_id: str | None, quorum: Quorum) -> FaultScope:
        return FaultScope(family, place.provider, app, host, organization_id, quorum)

    host, organization = place.host, place.organization_id
    if host is None:
        return (scope(None, None, Quorum(organizations=2)), scope(None, organization, Quorum()))
    several = Quorum(SEVERAL_HOSTS, SEVERAL_HOSTS)
    return (
        scope(None, None, Quorum(SEVERAL_HOSTS, SEVERAL_HOSTS, 2)),
        scope(None, organization, several),
        scope(host, None, Quorum(organizations=2)),
        scope(host, organization, Quorum()),
    )


def waits_for(place: Place | None, fault: Fault | None) -> str | None:
    """Returns what a grant waits for that was told `fault`: whatever ends that has it tried at once.

    A wait that was asked of this grant is its own, and ends with nobody else's success: only by hand.
    """
    if fault is None or place is None:
        return None
    if fault.sort is Sort.REFUSED:
        return scopes(place, "app")[0].name
    at_host = [s for s in scopes(place, "provider") if s.organization_id is None]
    name = at_host[-1].name
    return asked_of(name) if fault.sort is Sort.LIMITED else name


def asked_of(name: str) -> str:
    """Returns what a grant waits for that was asked to wait itself, at the host of this name."""
    return f"asked {name}"


def weigh(
    scope: FaultScope,
    before: Evidence | None,
    told: Sequence[ToldFault],
    policy: Policy,
    breaker: BreakerPolicy,
) -> Weighed:
    """Returns the evidence with what was `told` now (of one sort, at least one), and what follows.

    A pause that stands is prolonged by its probes alone: what was sent before it began tells nothing
    new. Nor does a witness who says the same again, unless nobody is answered at all: that must not
    hold the others. It only ends the probe, and the next may be another's.
    """
    known = before if before and before.age_seconds < FORGET_SECONDS else Evidence()
    witnesses = _joined(known.witnesses, [t.witness for t in told])
    after = Evidence(witnesses, known.failures + len(told), known.refusals)
    sort = told[0].fault.sort
    is_news = known.failures < TELL_AFTER <= after.failures
    if known.refusals:
        probes = [t for t in told if t.probed]
        earlier = {w.grant for w in known.witnesses}
        if not probes:
            return Weighed(after)
        if sort is not Sort.SILENT and all(t.witness.grant in earlier for t in probes):
            return Weighed(after, 0.0)
    elif not _agree(scope.quorum, witnesses) or (
        sort is Sort.SILENT and after.failures < breaker.failures
    ):
        return Weighed(after, is_news=is_news)
    refusals = known.refusals + 1
    held = Evidence(witnesses, after.failures, refusals)
    is_new = not known.refusals
    seconds = _pause_seconds(told, held, policy, breaker)
    least = is_new and sort is Sort.REFUSED and len(witnesses) == scope.quorum.grants
    return Weighed(held, seconds, is_new, is_new or is_news, doubt_at_once=least)


def doubts_every_seconds(sort: Sort, policy: Policy) -> float | None:
    """Returns how often a pause that lasts is doubted by a grant that was not told so itself.

    So two grants that are refused for a reason of their own cannot keep the others until their tokens
    die: an app's pause is doubted each minute, a rate limit's every five. None: who answers nobody is
    not asked before the pause is over, which is ten minutes at most.
    """
    if sort is Sort.REFUSED:
        return policy.app_probe_interval_seconds
    return DOUBT_LIMIT_SECONDS if sort is Sort.LIMITED else None


def may_probe(sort: Sort, pause_left_seconds: float, *, is_witness: bool) -> bool:
    """Whether a grant may ask for the place of a probe; a witness not before the pause is over."""
    return pause_left_seconds <= 0 or not (is_witness or sort is Sort.SILENT)


def _joined(known: Sequence[Witness], told: Sequence[Witness]) -> tuple[Witness, ...]:
    """Returns each witness once, those who spoke last at the end, and no more than 20 of them."""
    newest = {w.grant: w for w in told}
    rest = [w for w in known if w.grant not in newest]
    return tuple([*rest, *newest.values()][-MOST_WITNESSES:])


def _agree(quorum: Quorum, witnesses: Sequence[Witness]) -> bool:
    return (
        len(witnesses) >= quorum.grants
        and len({w.host for w in witnesses}) >= quorum.hosts
        and len({w.organization_id for w in witnesses}) >= quorum.organizations
    )


def _pause_seconds(
    told: Sequence[ToldFault], held: Evidence, policy: Policy, breaker: BreakerPolicy
) -> float:
    sort = told[0].fault.sort
    if sort is Sort.REFUSED:
        return min(when.app_pause(policy, held.refusals), LONGEST_PAUSE_SECONDS)
    if sort is Sort.LIMITED:
        asked = (when.rate_limit_pause(policy, t.fault.seconds) for t in told)
        return min(max(asked), LONGEST_PAUSE_SECONDS)
    opened = opens(breaker, held.failures, held.refusals - 1)
    return min(opened.seconds if opened else breaker.pause_seconds, LONGEST_PAUSE_SECONDS)
