"""What each reason for parking means to a person, and what makes the connection go on."""

from __future__ import annotations

from uuid import UUID

from refresher.rules.connection import ParkReason

RESUME = "`refresher connections resume ID`"
MENDS: dict[ParkReason, str] = {
    ParkReason.MISSING: "the connection is gone; nothing is to be done",
    ParkReason.DELETED: "deleted on purpose; importing it again brings it back",
    ParkReason.DISABLED: f"disabled on purpose; {RESUME} ends that",
    ParkReason.PAUSED: f"paused on purpose; {RESUME} ends that",
    ParkReason.MID_OAUTH: "its OAuth steps are not finished: import it without in_between_steps then",
    ParkReason.RECONNECT_REQUIRED: (
        "the provider ended the grant: have the account connected again, and import its new tokens"
    ),
    ParkReason.NO_EXPIRY: (
        "nobody tells when its access token ends: import it with expires_in, or give its provider "
        "an access_token_lifetime_seconds in REFRESHER_PROVIDERS_FILE"
    ),
    ParkReason.NOTHING_TO_REFRESH_WITH: "no token to refresh with is stored: import it with one",
    ParkReason.UNKNOWN_PROVIDER: (
        f"the catalogue lacks its provider: add it to REFRESHER_PROVIDERS_FILE, then {RESUME}"
    ),
    ParkReason.APP_NOT_CONFIGURED: (
        "no app is stored for its provider: `refresher apps set PROVIDER --client-id ID`, and it "
        "resumes by itself"
    ),
    ParkReason.UNDECRYPTABLE: (
        "no key opens its tokens: put the old key behind the first one in "
        f"REFRESHER_ENCRYPTION_KEYS, then {RESUME}"
    ),
    ParkReason.UNBUILDABLE_REQUEST: (
        f"no request can be made from it: `refresher events ID` says why; mend that, then {RESUME}"
    ),
    ParkReason.CRASH_LOOP: (
        f"refreshing it ended its process again and again: read the logs, then {RESUME}"
    ),
}
ON_PURPOSE = frozenset({ParkReason.DELETED, ParkReason.DISABLED, ParkReason.PAUSED})
SELF_MENDING = frozenset({ParkReason.APP_NOT_CONFIGURED})
RESUME_ALONE_HELPS = frozenset(
    {ParkReason.PAUSED, ParkReason.DISABLED, ParkReason.CRASH_LOOP, ParkReason.UNDECRYPTABLE}
)
"""With any other reason, resuming without mending ends in the same place."""


def mend(reason: str | None, connection_id: UUID | None = None) -> str | None:
    """Returns what to do about a reason, None for one that we do not know."""
    advice = MENDS.get(ParkReason(reason)) if reason in set(ParkReason) else None
    return advice.replace(" ID`", f" {connection_id}`") if advice and connection_id else advice
