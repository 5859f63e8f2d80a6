"""Says of a connection what its provider answered that we could not read, and what brings it on."""

from __future__ import annotations

from collections.abc import Iterator

from refresher.cli.output import instant, many
from refresher.rules.connection import Connection
from refresher.rules.outcomes import UNREAD
from refresher.store.answers import AnswerView


def sentences(connection: Connection, answer: AnswerView | None) -> Iterator[str]:
    """Yields sentences on a connection parked for this answer; None: it is kept no more."""
    resume = f"`refresher connections resume {connection.id}`"
    if answer is None:
        yield (
            "The provider answered and we could not read it; that answer is not kept any more. "
            f"{resume} presents its refresh token once more, which may be spent: if the provider "
            "refuses it, have the account connected again."
        )
        return
    yield (
        f"The provider answered at {instant(answer.received_at)} and we could not read it: "
        f"{why(answer)}. Its refresh token may be spent, so it is not presented again."
    )
    yield (
        f"The answer is kept, sealed ({many(answer.bytes, 'byte')}): `refresher answers show "
        f"{answer.id}` names its fields. Say in the entry of {answer.provider} in "
        "REFRESHER_PROVIDERS_FILE where its tokens stand (answer_names, response_path); then "
        f"`refresher answers reread {answer.id}` stores them."
    )
    yield f"Where nothing can be read of it, {resume} presents the old refresh token once more."


def hope(answer: AnswerView) -> str:
    """Returns a sentence on an answer of a connection that has ended since."""
    return (
        f"The provider answered at {instant(answer.received_at)} and we could not read it: "
        f"{why(answer)}. Its tokens may be in that: `refresher answers show {answer.id}`, and, with "
        f"the provider's entry put right, `refresher answers reread {answer.id}`."
    )


def why(answer: AnswerView) -> str:
    """Returns why it could not be read, in a few words."""
    return answer.reason.removeprefix(UNREAD).lstrip(": ") or answer.reason
