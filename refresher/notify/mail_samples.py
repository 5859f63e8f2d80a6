"""A letter of each form, with which the user's templates can be tried before a mail needs them."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from refresher.notify.mail_text import values
from refresher.rules.notices import Kind
from refresher.store.mails import Form, LeasedMail
from refresher.store.outbox import Entry


def samples() -> dict[str, dict[str, object]]:
    """Returns values for each form with which templates can be tried."""
    at = datetime(2030, 1, 2, 3, 4, tzinfo=UTC)
    facts = {
        "provider": "google",
        "external_id": "1042",
        "name": "Ann's calendar",
        "app": "google/default",
        "cause": "invalid_grant",
        "answer_id": str(UUID(int=5)),
        "refresh_token_expires_at": at.isoformat(),
    }
    told = tuple(
        Entry(UUID(int=n), "org-1", UUID(int=1), None, n, kind, {**facts}, at)
        for n, kind in enumerate(Kind, start=1)
    )

    def letter(form: Form, entries: tuple[Entry, ...]) -> LeasedMail:
        return LeasedMail(
            UUID(int=9), 1, form, 0, 0.0, 0, UUID(int=8), "ann@example.com", "org-1", "Acme", None,
            entries,
        )  # fmt: skip

    def made(form: Form, entries: tuple[Entry, ...]) -> dict[str, object]:
        link = "https://app.example/connections/{external_id}/reconnect"
        words = values(letter(form, entries), default_reconnect_url=link)
        return {**words, "unsubscribe_url": "https://app.example/unsubscribe"}

    return {"plain": made("plain", told[:1]), "digest": made("digest", told)}
