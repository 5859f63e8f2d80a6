"""What each reason for parking means to a person, and what makes the connection go on.

Pure. Each mend is a sentence with the commands that do it, and, where the dashboard has a page for it,
the way there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from urllib.parse import quote, urlencode
from uuid import UUID

from refresher.rules.connection import ParkReason
from refresher.rules.outcomes import UNREAD
from refresher.rules.words import many

Instants = Callable[[datetime], str]
"""How who shows a sentence writes an instant in it."""
RESUME = "`refresher connections resume {id}`"


class Named(Protocol):
    """What the commands in an advice need to know of a connection."""

    @property
    def id(self) -> UUID:
        """The connection's id."""

    @property
    def provider(self) -> str:
        """The provider's name."""

    @property
    def app_name(self) -> str:
        """Which of our apps there it uses."""


class Kept(Protocol):
    """What a sentence needs to know of an answer that is kept because nobody could read it."""

    @property
    def id(self) -> UUID:
        """The answer's id."""

    @property
    def provider(self) -> str:
        """Whose answer it is."""

    @property
    def received_at(self) -> datetime:
        """When it came."""

    @property
    def bytes(self) -> int:
        """How long it is."""

    @property
    def reason(self) -> str:
        """Why it could not be read."""


@dataclass(frozen=True, slots=True)
class Way:
    """Where in the dashboard something is mended, and what the link there says.

    `for_everybody`: only keys for all organizations have that page.
    """

    path: str
    says: str
    for_everybody: bool = False


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
        "the catalogue lacks its provider, or its entry is wrong (`refresher providers check`): add "
        "or mend it in REFRESHER_PROVIDERS_FILE, and it goes on by itself"
    ),
    ParkReason.APP_NOT_CONFIGURED: (
        "no app is stored for its provider: {apps_set}, and it resumes by itself"
    ),
    ParkReason.UNDECRYPTABLE: (
        "no key opens its tokens: put the old key behind the first one in "
        f"REFRESHER_ENCRYPTION_KEYS, then {RESUME}"
    ),
    ParkReason.UNBUILDABLE_REQUEST: (
        f"no request can be made from it: `refresher events {id}` says why; mend that, then {RESUME}"
    ),
    ParkReason.UNREAD_ANSWER: (
        "the provider answered and we could not read it, so its refresh token may be spent: "
        "`refresher answers list` shows the answer; put the provider's entry right and "
        f"`refresher answers reread ANSWER`, or try the old token again with {RESUME}"
    ),
    ParkReason.LOST_ANSWER: (
        "its last refresh may have reached the provider, no answer came, and its entry says that "
        "nothing is sent there twice: have the account connected again, or try the old token all the "
        f"same with {RESUME}"
    ),
    ParkReason.CRASH_LOOP: (
        f"refreshing it ended its process again and again: read the logs, then {RESUME}"
    ),
    ParkReason.UNSTORED: (
        "PostgreSQL refuses what its provider answered; that is kept, sealed: `refresher spool list` "
        "says why; mend that, and it is stored by itself"
    ),
}
_RECONNECT = Way("/ui/connections/{id}/link", "Make a reconnect link")
_RESUME = Way("/ui/connections/{id}", "Resume it")
_APP = Way("/ui/apps/{provider}/{app}", "Store the app", for_everybody=True)
_ENTRY = Way("/ui/providers/{provider}", "See its entry")
WAYS: dict[ParkReason, Way] = {
    ParkReason.DISABLED: _RESUME,
    ParkReason.PAUSED: _RESUME,
    ParkReason.MID_OAUTH: Way("/ui/connect", "Connect it"),
    ParkReason.RECONNECT_REQUIRED: _RECONNECT,
    ParkReason.NO_EXPIRY: _ENTRY,
    ParkReason.NOTHING_TO_REFRESH_WITH: _RECONNECT,
    ParkReason.UNKNOWN_PROVIDER: Way("/ui/providers", "See all providers"),
    ParkReason.APP_NOT_CONFIGURED: Way(
        "/ui/apps/{provider}/{app}", "Store the app", for_everybody=True
    ),
    ParkReason.UNDECRYPTABLE: _RESUME,
    ParkReason.UNREAD_ANSWER: Way("/ui/providers/{provider}", "See its answers"),
    ParkReason.LOST_ANSWER: _RECONNECT,
    ParkReason.CRASH_LOOP: _RESUME,
}
"""What has no page is mended outside the dashboard: on a command line, or in a file."""
_OF_ONE = frozenset({_RECONNECT, _RESUME})
"""Pages of one connection: where many are meant, a list is looked at."""
ON_PURPOSE = frozenset({ParkReason.DELETED, ParkReason.DISABLED, ParkReason.PAUSED})
RESUME_ALONE_HELPS = frozenset(
    {ParkReason.PAUSED, ParkReason.DISABLED, ParkReason.CRASH_LOOP, ParkReason.UNDECRYPTABLE}
)
"""With any other reason, resuming without mending ends in the same place."""


def page_of(*parts: object, **query: str | None) -> str:
    """Returns the path of a page of the dashboard: `page_of("apps", "google", "default")`."""
    path = "/".join(("/ui", *(quote(str(part), safe="") for part in parts)))
    given = {name: value for name, value in query.items() if value}
    return f"{path}?{urlencode(given)}" if given else path


def mend(
    reason: str | None,
    connection_id: UUID | None = None,
    *,
    provider: str = "PROVIDER",
    app_name: str = "default",
) -> str | None:
    """Returns what to do about a reason, None for one that we do not know.

    With a connection's id, provider and app the commands can be copied as they stand.
    """
    advice = MENDS.get(ParkReason(reason)) if reason in set(ParkReason) else None
    if advice is None:
        return None
    words = {"id": connection_id or "ID", "apps_set": apps_set(provider, app_name)}
    return advice.format_map(words)


def mend_of(reason: str | None, connection: Named) -> str | None:
    """Returns what to do about a reason for which this connection's row is parked."""
    return mend(reason, connection.id, provider=connection.provider, app_name=connection.app_name)


def way(
    reason: str | None,
    connection_id: UUID | None = None,
    *,
    provider: str,
    app_name: str = "default",
) -> Way | None:
    """Returns where the dashboard mends what a row is parked for, None where it does not.

    Without a connection's id it leads to the list of those that are parked so.
    """
    found = WAYS.get(ParkReason(reason)) if reason in set(ParkReason) else None
    if found is None:
        return None
    if connection_id is None and found in _OF_ONE:
        own_word = {*ON_PURPOSE, ParkReason.RECONNECT_REQUIRED}
        health = reason if reason in own_word else "blocked"
        return Way(page_of("connections", health=health), "See them")
    values = {
        "id": connection_id,
        "provider": quote(provider, safe=""),
        "app": quote(app_name, safe=""),
    }
    return Way(found.path.format_map(values), found.says, found.for_everybody)


def way_of(reason: str | None, connection: Named) -> Way | None:
    """Returns where the dashboard mends what this connection's row is parked for."""
    return way(reason, connection.id, provider=connection.provider, app_name=connection.app_name)


def apps_set(provider: str = "PROVIDER", app_name: str = "default") -> str:
    """Returns the command that stores an app; only the client id is left to fill in."""
    name = "" if app_name == "default" else f" --name {app_name}"
    return f"`refresher apps set {provider}{name} --client-id YOUR_CLIENT_ID`"


def of_unread(connection_id: UUID, answer: Kept | None, instant: Instants) -> Iterator[str]:
    """Yields sentences on a connection parked for this answer; None: it is kept no more."""
    resume = f"`refresher connections resume {connection_id}`"
    if answer is None:
        yield (
            "The provider answered and we could not read it; that answer is not kept any more. "
            f"{resume} presents its refresh token once more, which may be spent: if the provider "
            "refuses it, have the account connected again."
        )
        return
    yield (
        f"The provider answered at {instant(answer.received_at)} and we could not read it: "
        f"{_why_unread(answer)}. Its refresh token may be spent, so it is not presented again."
    )
    yield (
        f"The answer is kept, sealed ({many(answer.bytes, 'byte')}): `refresher answers show "
        f"{answer.id}` names its fields. Say in the entry of {answer.provider} in "
        "REFRESHER_PROVIDERS_FILE where its tokens stand (answer_names, response_path); then "
        f"`refresher answers reread {answer.id}` stores them."
    )
    yield f"Where nothing can be read of it, {resume} presents the old refresh token once more."


def hope_of_unread(answer: Kept, instant: Instants) -> str:
    """Returns a sentence on an answer of a connection that has ended since."""
    return (
        f"The provider answered at {instant(answer.received_at)} and we could not read it: "
        f"{_why_unread(answer)}. Its tokens may be in that: `refresher answers show {answer.id}`, and, "
        f"with the provider's entry put right, `refresher answers reread {answer.id}`."
    )


def _why_unread(answer: Kept) -> str:
    """Returns why it could not be read, in a few words."""
    return answer.reason.removeprefix(UNREAD).lstrip(": ") or answer.reason
