"""Doctor: everything that was checked, what is wrong first, each with its mend.

It opens connections, so it runs when somebody asks, once at a time, and what it found is kept for a
minute. Nothing is changed.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from weakref import WeakKeyDictionary

from refresher.insight.doctor import Finding
from refresher.insight.doctor.order import findings
from refresher.rules.access import Scope
from refresher.rules.words import capital, many, span
from refresher.web.connect.pages import faults
from refresher.web.dashboard.routing import Page, Route, Tone
from refresher.web.dashboard.visit import Visit
from refresher.web.state import Shared

KEPT_SECONDS = 60.0
HERE = "this web process"
TONES: dict[str, Tone] = {"fail": "bad", "warn": "warn", "ok": "good"}


@dataclass(frozen=True, slots=True)
class Piece:
    """Part of a mend: words, or a command that can be copied."""

    text: str
    is_command: bool


@dataclass(frozen=True, slots=True)
class Found:
    """A finding as it is shown."""

    check: str
    tone: Tone
    message: Sequence[Piece]
    mend: Sequence[Piece]
    page: str | None


@dataclass(frozen=True, slots=True)
class Checked:
    """What one run found; `took_seconds` is how long that was."""

    findings: Sequence[Finding]
    at: datetime
    took_seconds: float
    ended: float
    """Of this process's monotonic clock."""


@dataclass(frozen=True, slots=True)
class DoctorView:
    """What the page shows; without a `sentence` nobody has asked yet."""

    sentence: str | None = None
    tone: Tone = "still"
    words: str = ""
    at: datetime | None = None
    wrong: Sequence[Found] = ()
    good: Sequence[Found] = ()


class Kept:
    """The last run of one process."""

    def __init__(self) -> None:
        self._one_at_a_time = threading.Lock()
        self.last: Checked | None = None

    def run(self, visit: Visit) -> Checked:
        """Returns what is kept, or runs; who asks meanwhile waits for the same."""
        with self._one_at_a_time:
            if (last := self.fresh()) is not None:
                return last
            begun = time.monotonic()
            settings = visit.services.settings
            found = tuple(findings(settings, faults, here=HERE))
            ended = time.monotonic()
            self.last = Checked(found, visit.now, ended - begun, ended)
            return self.last

    def fresh(self) -> Checked | None:
        """Returns the last run, None where it is too old."""
        last = self.last
        if last is None or time.monotonic() - last.ended > KEPT_SECONDS:
            return None
        return last


_kept: WeakKeyDictionary[Shared, Kept] = WeakKeyDictionary()


def show(visit: Visit) -> Page:
    """Shows what was found in the last minute, or the button alone."""
    return _page(_of(visit).fresh())


def run(visit: Visit) -> Page:
    """Looks at everything, and shows what was found."""
    return _page(_of(visit).run(visit))


def _of(visit: Visit) -> Kept:
    return _kept.setdefault(visit.shared, Kept())


def _page(checked: Checked | None) -> Page:
    view = DoctorView() if checked is None else _view(checked)
    return Page("doctor.html", view, "Doctor", has_live_parts=False)


def _view(checked: Checked) -> DoctorView:
    found = [_found(one) for one in checked.findings]
    failed, warned = ([f for f in found if f.tone == tone] for tone in ("bad", "warn"))
    return DoctorView(
        sentence=_sentence(len(failed), len(warned)),
        tone="bad" if failed else "warn" if warned else "good",
        words=f"{many(len(found), 'check')} in {span(checked.took_seconds)}.",
        at=checked.at,
        wrong=failed + warned,
        good=[one for one in found if one.tone == "good"],
    )


def _sentence(failed: int, warned: int) -> str:
    wrong = f"{many(failed, 'thing')} {'is' if failed == 1 else 'are'} wrong"
    look = f"{many(warned, 'thing')} {'is' if warned == 1 else 'are'} worth a look"
    if failed:
        return f"{wrong}, and {look}." if warned else f"{wrong}."
    return f"Nothing is wrong. {capital(look)}." if warned else "Nothing is wrong."


def _found(one: Finding) -> Found:
    mend = one.mend or ""
    told = capital(mend)
    return Found(one.check, TONES[one.level], _pieces(one.message), _pieces(told), one.page)


def _pieces(text: str) -> list[Piece]:
    """Returns a sentence with its commands told apart, which stand between backticks."""
    parts = text.split("`")
    return [Piece(part, is_command=n % 2 == 1) for n, part in enumerate(parts) if part]


ROUTES = (
    Route("GET", "/ui/doctor", show, everybody=True, section="doctor"),
    Route(
        "POST",
        "/ui/doctor",
        run,
        scope=Scope.ADMIN,
        everybody=True,
        section="doctor",
        outside=True,
    ),
)
