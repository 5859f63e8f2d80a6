"""How a connection stands or stood, in sentences: the answer that its page begins with. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from refresher.insight import explaining, looking
from refresher.insight.explaining import Findings
from refresher.insight.looking import Then
from refresher.rules import headlines, reasons
from refresher.rules.headlines import Stands
from refresher.rules.reasons import Instants, Way
from refresher.rules.standing_word import Health
from refresher.runtime.parts import policy_from


@dataclass(frozen=True, slots=True)
class Answer:
    """The headline, and the reasons, with commands between backticks; `way` leads to what mends it."""

    word: Health
    headline: str
    sentences: Sequence[str]
    way: Way | None = None


def now(
    word: Health, found: Findings, since: datetime | None, clock: Instants, zoned: Instants
) -> Answer:
    """Returns how it stands; `zoned` writes an instant with its zone."""
    standing = found.standing
    way = reasons.way_of(standing.moment.parked_reason, standing.connection)
    return Answer(
        word,
        headlines.headline(Stands(word, standing.moment, standing.now, since), zoned),
        explaining.sentences(found, clock),
        # The page has buttons of its own for what is done to this connection.
        None if way is None or str(standing.connection.id) in way.path else way,
    )


def then(found: Findings, stood: Then, clock: Instants, zoned: Instants) -> Answer:
    """Returns how it stood."""
    moment = stood.moment
    word = headlines.health_at(moment, stood.at)
    since = headlines.since(word, moment, stood.events)
    said = headlines.headline(Stands(word, moment, stood.at, since), zoned)
    return Answer(word, said, list(_then(found, stood, clock)))


def _then(found: Findings, stood: Then, clock: Instants) -> Sequence[str]:
    moment, connection = stood.moment, found.standing.connection
    said = []
    if moment.expires_at is not None:
        verb = "was good until" if moment.expires_at > stood.at else "had ended at"
        said.append(f"Its access token {verb} {clock(moment.expires_at)}.")
    why = looking.why(
        found.standing, moment, stood.last, found.provider, policy_from(found.settings)
    )
    if moment.due_at is not None:
        because = f", because {why.sentence}" if why else ""
        said.append(f"Its next refresh was to be at {clock(moment.due_at)}{because}.")
    if moment.parked_reason is not None:
        mend = reasons.mend_of(moment.parked_reason, connection)
        said.append(f"It was parked as {moment.parked_reason}" + (f": {mend}." if mend else "."))
    return said
