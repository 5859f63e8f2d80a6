"""Seals an answer that could not be read, to be kept beside its attempt (see `rereading.py`)."""

from __future__ import annotations

from datetime import timedelta

import structlog
from uuid_utils.compat import uuid7

from refresher.rules.bodies import header
from refresher.rules.connection import Secret
from refresher.rules.outcomes import Malformed, Outcome, Reply, Unreadable
from refresher.runtime.cipher import Cipher
from refresher.store import answers
from refresher.store.answers import KeptAnswer
from refresher.store.reload import Reloaded

HTTP_REDIRECT = 300
MOST_OF_A_HEADER = 200
_UNREAD = (Unreadable, Malformed)  # written out at the place, the union is made for each reply
log = structlog.get_logger()


def kept_answer(
    cipher: Cipher, row: Reloaded, elapsed_seconds: float, reply: Reply, outcome: Outcome
) -> KeptAnswer | None:
    """Returns the answer as it is kept, where it could not be read and there is something of it.

    That it cannot be sealed must not stand between the reply and its commit.
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
