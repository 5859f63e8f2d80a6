"""`Idempotency-Key`: a request that is sent again gets the answer of the first one, and does nothing.

The answer is kept for a day, for the same API key. A request that fails keeps nothing, so that it can
be tried again. What identifies a request is hashed under the API key's own secret, which is stored
nowhere: who reads the table cannot try client secrets against it.
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from starlette.responses import Response

from refresher.errors import RefresherError
from refresher.rules.access import ApiKey
from refresher.store import idempotency
from refresher.store.session import Database
from refresher.web.problems import Problem
from refresher.web.state import Shared


@dataclass(frozen=True, slots=True)
class Repeatable:
    """One request that carries an Idempotency-Key."""

    key: ApiKey
    idempotency_key: str
    fingerprint: bytes


def identify(
    key: ApiKey, idempotency_key: str, headers: Mapping[bytes, bytes], *request: bytes
) -> Repeatable:
    """Returns the request's identity; `request` is method, path with query, and body."""
    told = b"\x00".join([*request[:-1], headers.get(b"if-match", b""), request[-1]])
    mark = hmac.digest(headers[b"authorization"], told, "sha256")
    return Repeatable(key, idempotency_key, mark)


async def once(
    state: Shared, request: Repeatable, work: Callable[[], Awaitable[Response]]
) -> Response:
    """Returns what was answered before, or has it answered now and keeps that."""
    database = state.services.database
    before = await state.in_thread(_begin, database, request)
    if before is not None:
        return before
    try:
        answer = await work()
    except BaseException:
        with suppress(RefresherError):  # else it is forgotten within a minute
            await state.in_thread(_give_up, database, request)
        raise
    with suppress(RefresherError):  # it is done, whether or not that can be remembered
        await state.in_thread(_finish, database, request, answer)
    return answer


def _begin(database: Database, request: Repeatable) -> Response | None:
    """Returns the answer that was given before, None when the request is to be carried out."""
    with database.transaction() as db:
        kept = idempotency.take(db, request.key.id, request.idempotency_key, request.fingerprint)
    if kept is None:
        return None
    if not hmac.compare_digest(kept.fingerprint, request.fingerprint):
        raise Problem(
            "idempotency_key_reused",
            "this Idempotency-Key was used for another request: take a new one",
        )
    if kept.status is None:
        raise Problem(
            "request_under_way",
            "the request with this Idempotency-Key is still under way: ask again",
            retry_after_seconds=1.0,
        )
    headers = {"cache-control": "no-store", "idempotency-replayed": "true"}
    headers |= {"etag": f'"{kept.etag}"'} if kept.etag else {}
    return Response(kept.body or b"", kept.status, headers, "application/json")


def _finish(database: Database, request: Repeatable, sent: Response) -> None:
    with database.transaction() as db:
        idempotency.keep(
            db,
            request.key.id,
            request.idempotency_key,
            status=sent.status_code,
            body=bytes(sent.body),
            etag=sent.headers.get("etag", "").strip('"') or None,
        )


def _give_up(database: Database, request: Repeatable) -> None:
    with database.transaction() as db:
        idempotency.give_up(db, request.key.id, request.idempotency_key)
