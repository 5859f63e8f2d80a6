"""Reads one connection as an application hands it over, and says in a sentence what is wrong.

Pure: a decoded JSON object in, a `NewConnection` out, or `InvalidConnection`. `connections import`
and every other way in use it, so that a field means the same everywhere. docs/import.md.
A token endpoint's whole answer that comes along is read like the answer to a refresh (`answered`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field, replace
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from refresher.errors import InvalidConnection
from refresher.rules import intake_fields as fields
from refresher.rules import slot_intake
from refresher.rules.answers import read_grant, read_parsed
from refresher.rules.connection import Grant, Secret, as_token, connection_id, value
from refresher.rules.error_codes import error_code
from refresher.rules.handed_error import detail_of, refusal, refuse_error
from refresher.rules.providers import Provider
from refresher.rules.slots import slot_id
from refresher.rules.words import no_field

if TYPE_CHECKING:
    from refresher.rules.restoring import Restored

MAX_SHOWN_LENGTH = 64
_REQUIRED = ("organization_id", "provider", "external_id")
_TEXTS = (*_REQUIRED, "name", "root_external_id", "host", "app")
_KNOWN = frozenset(
    {
        *_TEXTS,
        "access_token",
        "refresh_token",
        "expires_in",
        "expires_at",
        "refresh_token_expires_in",
        "scopes",
        "granted_scopes",
        "placeholders",
        "in_between_steps",
        "metadata",
        "answer",
        "slots",
    }
)
_OF_AN_ANSWER = (
    *("access_token", "refresh_token", "expires_in", "expires_at", "refresh_token_expires_in"),
)
"""What the member `answer` brings, so that nothing of it may be given beside it."""
OF_ANSWERS = frozenset(
    {
        *("token_type", "scope", "id_token", "ext_expires_in", "refresh_expires_in", "issued_at"),
        *("session_state", "not-before-policy", "x_refresh_token_expires_in", "instance_url"),
    }
)
"""Fields of answers that are no fields of ours: whoever gives one has a whole answer at hand."""


@value
class NewConnection:
    """A connection as handed over: texts checked, tokens in the clear, lives not yet judged.

    None is what was not told: it leaves alone what is stored of a known connection. `scopes` are those
    asked for. `answer` is a token endpoint's, not yet read; what comes of it besides tokens is in
    `granted_scopes` and `kept`. `slots` are tokens beside the main one, each a connection of its own,
    named by its `slot`.
    """

    organization_id: str
    provider: str
    external_id: str
    access_token: Secret | None
    refresh_token: Secret | None
    name: str | None = None
    app: str | None = None
    host: str | None = None
    placeholders: Mapping[str, str] | None = None
    root_external_id: str | None = None
    expires_in_seconds: float | None = None
    expires_at: datetime | None = None
    refresh_token_expires_in_seconds: float | None = None
    grant_ends_in_seconds: float | None = None
    scopes: tuple[str, ...] | None = None
    granted_scopes: tuple[str, ...] | None = None
    kept: Mapping[str, str | int | float | bool] | None = field(default=None, repr=False)
    in_between_steps: bool | None = None
    metadata: Mapping[str, object] | None = None
    answer: Mapping[str, object] | None = field(default=None, repr=False)
    slot: str = ""
    slots: tuple[NewConnection, ...] = ()
    because: str | None = None
    """How it came, where that is told in its history: by which connect session."""
    restored: Restored | None = None
    """How it stood elsewhere, for one that moves in as it stood (`restoring.py`)."""

    id: UUID = field(init=False)
    """The same for the same organization, provider and external id, and the same slot of it."""

    def __post_init__(self) -> None:
        made = slot_id(self.main_id, self.slot) if self.slot else self.main_id
        object.__setattr__(self, "id", made)

    @property
    def main_id(self) -> UUID:
        """The id of the connection whose slot this is; its own, where it is none."""
        return connection_id(self.organization_id, self.provider, self.external_id)

    @property
    def is_at_rest(self) -> bool:
        """Whether it moves in as one that is not refreshed."""
        return self.restored is not None and self.restored.is_at_rest

    @property
    def has_tokens(self) -> bool:
        """Whether a token came: without one it is an update, never a reconnect."""
        return self.access_token is not None or self.refresh_token is not None

    @property
    def root_id(self) -> UUID | None:
        """The id of the connection whose grant this one shares."""
        root = self.root_external_id
        return connection_id(self.organization_id, self.provider, root) if root else None


def read(given: object) -> NewConnection:
    """Returns the connection in `given`; raises `InvalidConnection` with one sentence."""
    if not isinstance(given, dict):
        raise InvalidConnection("the line must be one JSON object")
    refuse_error(given)
    _check_names(given)
    texts = {name: fields.text(given, name) for name in _TEXTS}
    for name in _REQUIRED:
        if not texts[name]:
            raise InvalidConnection(f"{name} is missing")
    _check_together(given)
    made = NewConnection(
        organization_id=texts["organization_id"] or "",
        provider=texts["provider"] or "",
        external_id=texts["external_id"] or "",
        access_token=fields.token(given, "access_token"),
        refresh_token=fields.token(given, "refresh_token"),
        name=texts["name"],
        app=texts["app"],
        host=texts["host"],
        placeholders=fields.placeholders(given.get("placeholders")),
        root_external_id=texts["root_external_id"],
        expires_in_seconds=fields.seconds(given, "expires_in"),
        expires_at=fields.instant(given, "expires_at"),
        # 0 is how "no end" is told of a refresh token (Keycloak): nobody hands in a dead one.
        refresh_token_expires_in_seconds=fields.seconds(given, "refresh_token_expires_in") or None,
        scopes=fields.scopes(given.get("scopes")),
        granted_scopes=fields.scopes(given.get("granted_scopes"), "granted_scopes"),
        in_between_steps=fields.flag(given, "in_between_steps"),
        metadata=fields.metadata(given.get("metadata")),
        answer=_answer(given.get("answer")),
    )
    if given.get("slots") is not None:
        made = replace(made, slots=slot_intake.read_named(made, given["slots"]))
    _check_whole(made)
    return made


def _check_whole(made: NewConnection) -> None:
    if made.root_external_id is not None:
        if made.root_external_id == made.external_id:
            raise InvalidConnection("root_external_id is the connection's own external_id")
        if made.has_tokens or made.answer or made.slots:
            raise InvalidConnection(
                "a connection with root_external_id shares its root's tokens: leave out "
                "access_token and refresh_token"
            )


def unknown_field(name: str, known: Iterable[str]) -> str:
    """Returns the sentence about a field that there is not, with what was meant, perhaps."""
    shown = "".join(c for c in name[:MAX_SHOWN_LENGTH] if c.isprintable())
    whole = "; a provider's whole answer goes into `answer`" if name in OF_ANSWERS else ""
    return no_field(shown, known) + whole


def _check_names(given: Mapping[str, object]) -> None:
    for name in given:
        if name not in _KNOWN:
            raise InvalidConnection(unknown_field(str(name), _KNOWN))


def _check_together(given: Mapping[str, object]) -> None:
    if given.get("expires_in") is not None and given.get("expires_at") is not None:
        raise InvalidConnection("give expires_in or expires_at, not both")
    beside = next((name for name in _OF_AN_ANSWER if given.get(name) is not None), None)
    if given.get("answer") is not None and beside:
        raise InvalidConnection(
            f"give answer or {beside}, not both: answer is the provider's whole token answer"
        )


def _answer(given: object) -> Mapping[str, object] | None:
    answer = fields.answer(given)
    if answer is not None:
        refuse_error(answer)
    return answer


def answered(new: NewConnection, provider: Provider, now_epoch_seconds: float) -> NewConnection:
    """Returns the connection with what its `answer` brings, read like the answer to a refresh.

    Raises `InvalidConnection` for an error. An answer without any token brings none.
    """
    if new.answer is None:
        return slot_intake.fitting(new, provider, now_epoch_seconds) if new.slots else new
    told = read_parsed(provider, new.answer)
    grant = read_grant(provider, told, now_epoch_seconds)
    read = _granted(new, grant, provider) if grant else _without_access_token(new, provider, told)
    found = slot_intake.of_answer(read, provider, told, now_epoch_seconds)
    return slot_intake.fitting(replace(read, slots=found), provider, now_epoch_seconds)


def _granted(new: NewConnection, grant: Grant, provider: Provider) -> NewConnection:
    end, told = grant.refresh_token_expires_in_seconds or None, grant.grant_expires_in_seconds
    if told is None and grant.refresh_token is not None:
        told = provider.refresh_token_absolute_seconds  # an answer that is handed in is a consent's
    return replace(
        new,
        answer=None,
        access_token=grant.access_token,
        refresh_token=grant.refresh_token,
        expires_in_seconds=grant.expires_in_seconds,
        refresh_token_expires_in_seconds=min((s for s in (end, told) if s), default=None),
        grant_ends_in_seconds=told,
        granted_scopes=grant.scopes or new.granted_scopes,
        kept=grant.kept,
    )


def _without_access_token(
    new: NewConnection, provider: Provider, told: Mapping[str, object]
) -> NewConnection:
    """Returns the connection with a refresh token alone, if that came; an error is refused."""
    code = error_code(provider, told)
    if code or told.get("ok") is False or told.get("success") is False:
        raise refusal(code or "no success", detail_of(told, told.get("error")))
    return replace(new, answer=None, refresh_token=as_token(told.get("refresh_token")))
