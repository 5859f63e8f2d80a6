"""Seals what an answer brought: a new pair, or the whole answer where nobody could read it."""

from __future__ import annotations

from datetime import timedelta

import structlog
from uuid_utils.compat import uuid7

from refresher.errors import CannotDecrypt
from refresher.rules import kept_fields
from refresher.rules.bodies import header
from refresher.rules.connection import Grant, SealedLife, Secret
from refresher.rules.decision import Decision
from refresher.rules.outcomes import Malformed, Outcome, Reply, Unreadable
from refresher.runtime.cipher import Cipher
from refresher.store import answers
from refresher.store.answers import KeptAnswer
from refresher.store.reload import Reloaded

HTTP_REDIRECT = 300
MOST_OF_A_HEADER = 200
_UNREAD = (Unreadable, Malformed)  # written out at the place, the union is made for each reply
log = structlog.get_logger()


def sealed_life(cipher: Cipher, row: Reloaded, decision: Decision) -> SealedLife | None:
    """Returns the pair that came with its fields, or the refresh token that was rescued; else None."""
    life, rescued = decision.new_life, decision.rescued_refresh_token
    owner = row.connection.id
    if life is None:
        kept = rescued and cipher.seal(rescued, owner, "refresh_token")
        return SealedLife(None, kept, None, None, None, None) if kept else None
    grant = life.grant
    came, new, fields = grant.access_token, grant.refresh_token, grant.kept
    secrets = kept_fields.secret_text(fields) if fields else None
    return SealedLife(
        access_token=cipher.seal(came, owner, "access_token") if came else None,
        refresh_token=cipher.seal(new, owner, "refresh_token") if new else None,
        lifetime_seconds=life.lifetime_seconds,
        left_seconds=life.left_seconds,
        refresh_token_left_seconds=life.refresh_token_left_seconds,
        scopes=grant.scopes,
        kept_fields=kept_fields.plain_text(fields) if fields else None,
        kept_secrets=cipher.seal(secrets, owner, "kept_secrets") if secrets else None,
        grant_left_seconds=grant.grant_expires_in_seconds,
        forgets_end=life.forgets_end and not _comes_again(cipher, row, grant),
    )


def _comes_again(cipher: Cipher, row: Reloaded, grant: Grant) -> bool:
    """Whether the refresh token that came is the stored one once more: its end is known still."""
    connection, new = row.connection, grant.refresh_token
    sealed = connection.refresh_token
    if new is None or sealed is None or row.refresh_token_left_seconds is None:
        return False
    if grant.refresh_token_is_endless:
        return False
    try:
        return cipher.open(sealed, connection.id, "refresh_token") == new
    except CannotDecrypt:  # nothing stands between a reply and its commit
        return False


def kept_answer(
    cipher: Cipher, row: Reloaded, elapsed_seconds: float, reply: Reply, outcome: Outcome
) -> KeptAnswer | None:
    """Returns the answer as it is kept, sealed, where it could not be read and there is some of it.

    `rereading.py` reads it again. That it cannot be sealed must not stand between reply and commit.
    """
    if not isinstance(outcome, _UNREAD) or not reply.body:
        return None
    if reply.status is None or reply.status >= HTTP_REDIRECT:
        return None
    connection = row.connection
    try:
        # Any byte is a character of Latin-1, so nothing is changed on the way in and out.
        body = cipher.seal(Secret(reply.body.decode("latin-1")), connection.id, answers.PLACE)
    except Exception as error:  # noqa: BLE001
        log.error("cannot seal an answer", why=type(error).__name__)  # noqa: TRY400
        return None
    return KeptAnswer(
        id=uuid7(),
        connection_id=connection.id,
        lease_token=row.claim.lease_token,
        credential_version=connection.credential_version,
        grant_number=connection.grant_number,
        received_at=row.now + timedelta(seconds=elapsed_seconds),
        http_status=reply.status,
        failure=reply.failure,
        content_type=_short(header(reply.headers, "content-type")),
        content_encoding=_short(header(reply.headers, "content-encoding")),
        reason=outcome.reason,
        looks_like_grant=isinstance(outcome, Unreadable),
        bytes=len(reply.body),
        body=body,
    )


def _short(text: str) -> str:
    return "".join(c for c in text[:MOST_OF_A_HEADER] if c.isascii() and c.isprintable())
