"""Judges a deployment at rest: the provider's books against what is stored, and the history checks.

Lost is a connection whose stored refresh token is not the newest that its grant has, unless it was told
to be lost: `reconnect_required`, caused by `interrupted`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256

from refresher.devkit.oauth_server import GrantRecord, HeldTokens
from refresher.rules.connection import Sealed
from refresher.store.sealed import stored_pairs
from refresher.testing.history import check_history
from tests.chaos.deployment import CLIENT_SECRET, Deployment

TOKENS = ("fake-at_", "fake-rt_")
"""How every token of the fake provider begins."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of one deployment. `broken` names promises of the history that do not hold."""

    refreshes: int
    lost: int
    interrupted: int
    double_spent: int
    parked_wrongly: int
    unknown_outcomes: int
    expired: int
    broken: tuple[str, ...]


def judge(deployment: Deployment) -> Verdict:
    """Returns the verdict; call it when nothing runs any more (`Deployment.settle_down`)."""
    unknown = _unknown_outcomes(deployment)
    twice, overlapping = _beyond_allowance(deployment, unknown)
    broken = check_history(deployment.services.database)
    if overlapping:
        broken.append(f"{overlapping} requests overlapped without an unknown outcome")
    if told := _secrets_told(deployment):
        broken.append(f"secrets stand in {', '.join(told)}")
    return Verdict(
        refreshes=int(deployment.number(_REFRESHED)),
        lost=len(lost(deployment)),
        interrupted=int(deployment.number(_INTERRUPTED)),
        double_spent=twice,
        parked_wrongly=int(deployment.number(_PARKED_WRONGLY)),
        unknown_outcomes=sum(unknown.values()),
        expired=int(deployment.number(_EXPIRED)),
        broken=tuple(broken),
    )


_REFRESHED = "select count(*) from refresh_event where kind = 'refreshed'"
_INTERRUPTED = (
    "select count(*) from refresh_event where kind = 'revoked' and reason = 'interrupted'"
)
_PARKED_WRONGLY = """
    select count(*) from refresh_schedule s join connection c on c.id = s.connection_id
    where s.state = 2 and not (s.parked_reason = 'reconnect_required'
                               and c.status_cause = 'interrupted')
"""
_EXPIRED = "select count(*) from refresh_event where kind = 'refreshed' and expired_seconds > 0"
# An outcome is unknown when a start ended without one, and when an answer did not come or made no
# sense: each allows one more presentation of the same refresh token.
_UNKNOWN = """
    select c.external_id, count(*) from refresh_event e join connection c on c.id = e.connection_id
    where (e.kind in ('swept', 'parked') and e.reason in ('outcome unknown', 'crash_loop'))
       or e.kind in ('transient', 'malformed')
    group by c.external_id
"""


def lost(deployment: Deployment) -> list[str]:
    """Returns the accounts whose stored pair is not the newest, and that nobody was told about."""
    told = {row[0] for row in deployment.rows(_TOLD)}
    checks = deployment.provider.check(held(deployment))
    return [
        check.external_id
        for check in checks
        if check.external_id not in told and not (check.refresh_is_newest and check.refresh_usable)
    ]


_TOLD = "select external_id from connection where status_cause = 'interrupted'"


def held(deployment: Deployment) -> list[HeldTokens]:
    """Returns every stored pair in the clear, for the provider to judge."""
    cipher = deployment.services.cipher

    def opened(sealed: Sealed | None, pair_id: object, column: str) -> str | None:
        return cipher.open(sealed, pair_id, column).reveal() if sealed else None  # type: ignore[arg-type]

    return [
        HeldTokens(
            pair.external_id,
            opened(pair.access_token, pair.id, "access_token"),
            opened(pair.refresh_token, pair.id, "refresh_token"),
        )
        for pair in stored_pairs(deployment.services.database)
    ]


def was_in_flight(record: GrantRecord, stored: HeldTokens, earliest: float, latest: float) -> bool:
    """Whether the stored refresh token was spent by a request that was under way at a fault.

    That is: by the provider's books it was exchanged, and that exchange began before `latest` and
    ended after `earliest`.
    """
    assert stored.refresh_token is not None
    presented = sha256(stored.refresh_token.encode()).hexdigest()
    return any(
        event.outcome == "issued"
        and event.presented == presented
        and event.began_at.timestamp() <= latest
        and (event.ended_at is None or event.ended_at.timestamp() >= earliest)
        for event in record.events
    )


def _unknown_outcomes(deployment: Deployment) -> Mapping[str, int]:
    return {row[0]: int(row[1]) for row in deployment.rows(_UNKNOWN)}


def _beyond_allowance(deployment: Deployment, unknown: Mapping[str, int]) -> tuple[int, int]:
    """Returns the presentations of spent tokens, and the overlaps, that no unknown outcome excuses."""
    twice = overlapping = 0
    for grant in deployment.provider.grants():
        allowed = unknown.get(grant.external_id, 0)
        twice += max(0, grant.presented_twice - allowed)
        overlapping += max(0, grant.overlapping - allowed)
    return twice, overlapping


def _secrets_told(deployment: Deployment) -> list[str]:
    """Returns where a token or the app's secret stands in the clear: outputs, Redis, events."""
    import redis  # noqa: PLC0415  only here

    places = {"a process's output": deployment.ground.spawn.outputs()}
    with redis.Redis.from_url(deployment.services.settings.redis) as client:
        kept = [client.dump(key) or b"" for key in client.scan_iter()]
    places["Redis"] = b"".join(kept).decode("latin-1")
    reasons = deployment.rows("select distinct reason from refresh_event where reason is not null")
    places["refresh_event"] = " ".join(row[0] for row in reasons)
    return [
        where for where, said in places.items() if any(s in said for s in (*TOKENS, CLIENT_SECRET))
    ]


def story(deployment: Deployment, external_id: str) -> str:
    """Returns all that is known of one account, for whoever must find out what went wrong."""
    ours = deployment.rows(
        "select e.occurred_at::time, e.kind, e.lease_token, e.credential_version, e.reason, "
        "e.http_status, e.elapsed_seconds from refresh_event e join connection c "
        "on c.id = e.connection_id where c.external_id = :id order by e.id",
        id=external_id,
    )
    theirs = [g for g in deployment.provider.grants() if g.external_id == external_id]
    lines = [str(tuple(map(str, row))) for row in ours[-15:]]
    lines += [
        f"{e.began_at:%T.%f} {e.presented and e.presented[:6]} {e.outcome} {e.reason} "
        f"{e.generation} {e.delivery}"
        for g in theirs
        for e in g.events[-10:]
    ]
    return "\n".join(lines)
