"""Sends through a mail API: one JSON POST with a bearer key, in the shape that Resend documents.

    {"from": "Name <a@b>", "to": ["c@d"], "subject": …, "text": …, "html": …, "headers": {…}}

Several services take this shape as it is; another one needs a small relay. `Idempotency-Key` carries
the Message-ID, so that a service that knows it drops a second try.
"""

from __future__ import annotations

from email.utils import parsedate_to_datetime

import httpx
from pydantic import SecretStr

from refresher.outbound.mail import Message, as_email, one_line
from refresher.rules.bodies import unpack
from refresher.rules.mails import MailOutcome, Rejected, Unreachable, classify_http, clean

MOST_BYTES = 65_536


class HttpSender:
    """One client for all threads; no redirect is followed, for the key goes to the configured URL."""

    def __init__(
        self,
        url: str,
        key: SecretStr,
        *,
        timeout_seconds: float,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._url = url
        self._key = key
        self._client = httpx.Client(
            timeout=timeout_seconds,
            follow_redirects=False,
            transport=transport,
            headers={"Accept-Encoding": "identity"},
        )

    def send(self, message: Message) -> MailOutcome:
        """Returns what the API answered."""
        try:
            mail = as_email(message)
        except ValueError as error:
            return Rejected(f"cannot be written: {clean(str(error))}", address=True)
        headers = {name: str(mail[name]) for name, _ in message.headers}
        body: dict[str, object] = {
            "from": str(message.sender),
            "to": [message.to],
            "subject": one_line(message.subject),
            "text": message.text,
            "html": message.html,
            "headers": {"Message-ID": message.message_id, **headers},
        }
        try:
            return self._post(body, message.message_id)
        except (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL) as error:
            return Unreachable(f"the mail API does not answer: {type(error).__name__}")

    def close(self) -> None:
        """Closes the client's connections."""
        self._client.close()

    def _post(self, body: dict[str, object], message_id: str) -> MailOutcome:
        headers = {
            "Authorization": f"Bearer {self._key.get_secret_value()}",
            "Idempotency-Key": message_id.strip("<>"),
        }
        with self._client.stream("POST", self._url, json=body, headers=headers) as reply:
            read = b""
            packing = reply.headers.get("Content-Encoding", "")
            for part in reply.iter_raw() if packing else reply.iter_bytes():
                read += part
                if len(read) >= MOST_BYTES:
                    break
            read = unpack(read, packing).body
            text = read[:MOST_BYTES].decode("utf-8", "replace")
            text = text.replace(self._key.get_secret_value(), "***")
            return classify_http(reply.status_code, text, _retry_after(reply))


def _retry_after(reply: httpx.Response) -> float | None:
    """Returns the seconds that `Retry-After` asks for (RFC 9110 section 10.2.3)."""
    given = reply.headers.get("Retry-After", "")
    if given.isdecimal():
        return float(given)
    try:
        at = parsedate_to_datetime(given)
        now = parsedate_to_datetime(reply.headers.get("Date", ""))
        return max(0.0, (at - now).total_seconds())
    except (ValueError, TypeError):
        return None
