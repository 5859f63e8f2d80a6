"""Why no fresh token can be had: the reasons, their sentences, and which pass by themselves."""

from __future__ import annotations

from enum import StrEnum

from refresher.rules.connection import ParkReason


class Why(StrEnum):
    """Why no fresh token can be had, besides the reasons for parking (`ParkReason`)."""

    NO_SUCH_CONNECTION = "no_such_connection"
    NO_SUCH_SLOT = "no_such_slot"
    STILL_REFRESHING = "still_refreshing"
    REFRESH_FAILED = "refresh_failed"
    REFRESHED_JUST_NOW = "refreshed_just_now"
    PACED = "paced"
    PROVIDER_PAUSED = "provider_paused"
    APP_PAUSED = "app_paused"
    SHORT_LIVED = "short_lived"
    OLD_TOKEN_DIES = "old_token_dies"


Reason = Why | ParkReason
SENTENCES: dict[Reason, str] = {
    Why.NO_SUCH_CONNECTION: "there is no such connection",
    Why.NO_SUCH_SLOT: "it has no such slot",
    Why.STILL_REFRESHING: "it is being refreshed, which took longer than the caller waited",
    Why.REFRESH_FAILED: "the last refresh failed, and will be tried again",
    Why.REFRESHED_JUST_NOW: "the token was refreshed just now, and is refused all the same",
    Why.PACED: "its provider takes no second refresh of one grant so soon",
    Why.PROVIDER_PAUSED: "its provider is left alone for a while",
    Why.APP_PAUSED: "the provider refuses our app: its client id or secret must be put right",
    Why.SHORT_LIVED: "the provider's tokens do not live as long as the caller asked for",
    Why.OLD_TOKEN_DIES: (
        "each refresh ends the token that others hold at its provider, and the next is not due yet"
    ),
    ParkReason.MISSING: "it has no schedule: register it again",
    ParkReason.DELETED: "it is deleted; registering it again brings it back",
    ParkReason.DISABLED: "it is disabled; resuming it ends that",
    ParkReason.PAUSED: "it is paused; resuming it ends that",
    ParkReason.MID_OAUTH: "its OAuth steps are not finished",
    ParkReason.RECONNECT_REQUIRED: (
        "the provider ended the grant: the account must be connected again"
    ),
    ParkReason.NO_EXPIRY: "nobody tells when its access token ends",
    ParkReason.NOTHING_TO_REFRESH_WITH: "no token to refresh with is stored",
    ParkReason.UNKNOWN_PROVIDER: "the catalogue lacks its provider, or its entry is wrong",
    ParkReason.APP_NOT_CONFIGURED: "no app is stored for its provider",
    ParkReason.UNDECRYPTABLE: "no configured key opens its tokens",
    ParkReason.UNBUILDABLE_REQUEST: "no request can be made from what is stored",
    ParkReason.UNREAD_ANSWER: (
        "the provider answered and we could not read it: the answer is kept, until it is read or the "
        "connection is resumed"
    ),
    ParkReason.LOST_ANSWER: (
        "its last refresh may have reached the provider, which takes none twice, and no answer came: "
        "connect the account again, or resume the connection to try all the same"
    ),
    ParkReason.CRASH_LOOP: "refreshing it ended its process again and again",
    ParkReason.UNSTORED: "PostgreSQL refuses to store what the provider answered; it is kept",
}
PASSING = frozenset(Why) - {Why.NO_SUCH_CONNECTION, Why.NO_SUCH_SLOT, Why.SHORT_LIVED}
"""What passes by itself: asking again later may help, and nobody need do anything."""
