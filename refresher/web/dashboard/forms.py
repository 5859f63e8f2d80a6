"""Forms: read up to their limit, from our own pages alone, with a token of this session and form.

Each form also carries a number of its own. The same form sent twice, by a double click or a reload, is
carried out once, and answered twice.
"""

from __future__ import annotations

import hmac
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from hashlib import sha256
from urllib.parse import parse_qsl

import orjson

from refresher.errors import RefresherError
from refresher.runtime.cipher import Cipher
from refresher.store import idempotency
from refresher.store.idempotency import Kept
from refresher.store.session import Database
from refresher.web import reading
from refresher.web.connect.gate import Visitor
from refresher.web.dashboard.routing import Goto, Page
from refresher.web.dashboard.sessions import Session
from refresher.web.problems import Problem

PURPOSE = b"refresher dashboard form"
MOST_BYTES, MOST_FIELDS = 65_536, 2_000
WAIT_SECONDS, LOOK_SECONDS = 15.0, 0.05
SHOWN_SECONDS, MOST_SHOWN = 3.0, 100
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
    """The same form is being carried out, and takes longer than anybody waits."""


class Done(RefresherError):
    """The same form was carried out, and what it answered is shown once only."""


class OneForm:
    """One form that was sent: `begin` before it is carried out, then `keep` or `give_up`."""

    def __init__(self, database: Database, key_id: str, path: str, fields: Pairs) -> None:
        self._database, self._key_id = database, key_id
        whole = repr((path, sorted(fields))).encode()
        self.name = f"ui:{sha256(whole).hexdigest()}"
        self._mark = sha256(whole).digest()
        self._counts = any(name == ONCE and value for name, value in fields)

    def begin(self) -> Goto | None:
        """Returns what was answered before; None where it is to be carried out.

        The second click of a double click waits for the first: its answer is the one that is seen.
        """
        if not self._counts:
            return None
        until = time.monotonic() + WAIT_SECONDS
        while (kept := self._taken()) is not None and kept.status is None:
            if time.monotonic() > until:
                raise UnderWay("The same form is being carried out: look again in a moment.")
            time.sleep(LOOK_SECONDS)
        if kept is None:
            return None
        if not kept.body:
            raise Done("This was done already; what it answered is shown once only.")
        return Goto(**orjson.loads(kept.body))

    def _taken(self) -> Kept | None:
        with self._database.transaction() as db:
            return idempotency.take(db, self._key_id, self.name, self._mark)

    def keep(self, answer: Goto | None) -> None:
        """Keeps what is answered; None: it is shown once only."""
        if not self._counts:
            return
        body = b"" if answer is None else orjson.dumps(_told(answer))
        with self._database.transaction() as db:
            idempotency.keep(db, self._key_id, self.name, status=303, body=body, etag=None)

    def give_up(self) -> None:
        """Lets the same form be tried again."""
        if not self._counts:
            return
        with self._database.transaction() as db:
            idempotency.give_up(db, self._key_id, self.name)


class ShownOnce:
    """Pages that are shown once only, for the second click of a double click; in memory, for a moment.

    Safe to use from every thread.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pages: OrderedDict[str, tuple[float, Page]] = OrderedDict()

    def keep(self, one: OneForm, page: Page) -> None:
        """Keeps the page that a form was answered with."""
        with self._lock:
            self._pages[one.name] = (time.monotonic(), page)
            for name in list(self._pages):
                if len(self._pages) > MOST_SHOWN or self._is_over(name):
                    del self._pages[name]

    def find(self, one: OneForm) -> Page | None:
        """Returns it, while the moment lasts."""
        with self._lock:
            known = one.name in self._pages and not self._is_over(one.name)
            return self._pages[one.name][1] if known else None

    def _is_over(self, name: str) -> bool:
        return time.monotonic() - self._pages[name][0] >= SHOWN_SECONDS


def _told(answer: Goto) -> Mapping[str, object]:
    return {"path": answer.path, "said": answer.said, "tone": answer.tone}


def _proofs(cipher: Cipher, session: Session, path: str) -> list[str]:
    return [proof.hex() for proof in cipher.proofs(PURPOSE, session.mark + path.encode())]
