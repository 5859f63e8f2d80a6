"""Forms: read up to their limit, from our own pages alone, with a token of this session and form.

Each form also carries a number of its own. The same form sent twice, by a double click or a reload, is
carried out once, and answered twice.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping, Sequence
from hashlib import sha256
from urllib.parse import parse_qsl

import orjson

from refresher.errors import RefresherError
from refresher.runtime.cipher import Cipher
from refresher.store import idempotency
from refresher.store.session import Database
from refresher.web import reading
from refresher.web.connect.gate import Visitor
from refresher.web.dashboard.routing import Goto
from refresher.web.dashboard.sessions import Session
from refresher.web.problems import Problem

PURPOSE = b"refresher dashboard form"
MOST_BYTES, MOST_FIELDS = 65_536, 2_000
CSRF, ONCE = "csrf", "once"
KIND = b"application/x-www-form-urlencoded"
Pairs = Sequence[tuple[str, str]]


def token(cipher: Cipher, session: Session, path: str) -> str:
    """Returns what proves that a form is of this session, and for this address."""
    return _proofs(cipher, session, path)[0]


def is_ours(cipher: Cipher, session: Session, path: str, given: str) -> bool:
    """Whether a form brings what proves it; one from before a change of keys does."""
    sent = given.encode()
    return any(hmac.compare_digest(one.encode(), sent) for one in _proofs(cipher, session, path))


def pairs(query: bytes) -> Pairs:
    """Returns the parameters of an address; none where there are too many."""
    try:
        return parse_qsl(
            query.decode("latin-1"), keep_blank_values=True, max_num_fields=MOST_FIELDS
        )
    except ValueError:
        return []


def once() -> str:
    """Returns the number of one form."""
    return secrets.token_urlsafe(16)


async def read(visitor: Visitor) -> Pairs:
    """Returns the fields of a form; raises a problem for what is none, or is too large."""
    kind = visitor.headers.get(b"content-type", KIND).split(b";")[0].strip().lower()
    if kind != KIND:
        raise Problem("unsupported_media_type", "this takes a form as browsers send it")
    try:
        raw = await reading.body(visitor.receive, visitor.headers, at_most=MOST_BYTES)
        return parse_qsl(raw.decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except Problem as problem:
        if problem.code == "too_large":
            sentence = f"What was sent is larger than {MOST_BYTES:,} bytes: nothing was changed."
            raise Problem("too_large", sentence) from None
        raise
    except ValueError:
        sentence = f"the form cannot be read, or has more than {MOST_FIELDS:,} fields"
        raise Problem("invalid_query", sentence) from None


class UnderWay(RefresherError):
    """The same form is being carried out."""


class Done(RefresherError):
    """The same form was carried out, and what it answered is shown once only."""


class OneForm:
    """One form that was sent: `begin` before it is carried out, then `keep` or `give_up`."""

    def __init__(self, database: Database, key_id: str, path: str, fields: Pairs) -> None:
        self._database, self._key_id = database, key_id
        whole = repr((path, sorted(fields))).encode()
        self._name = f"ui:{sha256(whole).hexdigest()}"
        self._mark = sha256(whole).digest()
        self._counts = any(name == ONCE and value for name, value in fields)

    def begin(self) -> Goto | None:
        """Returns what was answered before; None where it is to be carried out."""
        if not self._counts:
            return None
        with self._database.transaction() as db:
            kept = idempotency.take(db, self._key_id, self._name, self._mark)
        if kept is None:
            return None
        if kept.status is None:
            raise UnderWay("The same form is being carried out: look again in a moment.")
        if not kept.body:
            raise Done("This was done already; what it answered is shown once only.")
        return Goto(**orjson.loads(kept.body))

    def keep(self, answer: Goto | None) -> None:
        """Keeps what is answered; None: it is shown once only."""
        if not self._counts:
            return
        body = b"" if answer is None else orjson.dumps(_told(answer))
        with self._database.transaction() as db:
            idempotency.keep(db, self._key_id, self._name, status=303, body=body, etag=None)

    def give_up(self) -> None:
        """Lets the same form be tried again."""
        if not self._counts:
            return
        with self._database.transaction() as db:
            idempotency.give_up(db, self._key_id, self._name)


def _told(answer: Goto) -> Mapping[str, object]:
    return {"path": answer.path, "said": answer.said, "tone": answer.tone}


def _proofs(cipher: Cipher, session: Session, path: str) -> list[str]:
    told = session.mark + path.encode()
    return [hmac.digest(key, told, "sha256").hex() for key in cipher.derived(PURPOSE).values()]
