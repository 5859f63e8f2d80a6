"""What forms and lists share: mistakes as sentences, changes noticed, cursors that fall back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from refresher.errors import RefresherError
from refresher.rules.words import sentence
from refresher.web import problems, reading
from refresher.web.dashboard.routing import Mistaken, NotHere, Page
from refresher.web.dashboard.visit import Visit
from refresher.web.problems import Problem

T = TypeVar("T")
Model = TypeVar("Model", bound=BaseModel)
Reader = Callable[[object, str | None], T | None]
CHANGED = "It changed meanwhile, so nothing was done: look at it, and ask again."
LOST = "That place of the list is not known any more: this is its beginning."
OURS = {403, 409, 422}
"""What the person who sent the form can put right."""


@contextmanager
def mistakes_on(page: Callable[[], Page]) -> Iterator[None]:
    """Shows the page again, with the sentence, where the block refuses what was typed."""
    try:
        yield
    except (Problem, RefresherError) as error:
        problem = problems.of(error)
        if problem is not None and problem.status == 404:
            raise NotHere from error
        if problem is None or problem.status not in OURS:
            raise
        raise Mistaken(sentence(problem.detail), page(), problem.status) from error


def fitting(model: type[Model], given: dict[str, Any]) -> Model:
    """Returns the values of a form as the API takes them; raises a problem that names the field."""
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise reading.faulty("invalid_body", error.errors(), model) from None


def mark(*values: object) -> str:
    """Returns what stands for values that a question was asked about: other values, another mark."""
    return sha256(repr(values).encode()).hexdigest()[:16]


def unchanged(visit: Visit, now: str, page: Callable[[], Page]) -> None:
    """Shows the page anew, and does nothing, where a form is about something that has changed."""
    if visit.form.get("if_match", now) != now:
        raise Mistaken(CHANGED, page(), 409)


def place(read: Reader[T], listing: object, cursor: str | None) -> tuple[T | None, str | None]:
    """Returns where a list goes on, and what to say where its cursor is none of ours."""
    try:
        return read(listing, cursor or None), None
    except Problem:
        return None, LOST
