"""Turns parsed JSON or command-line text into our frozen dataclasses, with one-sentence errors.

No HTTP here. What a field may hold is written on the dataclass itself (`options.py`, `faults.py`,
`records.py`).
"""

from collections.abc import Hashable
from functools import cache
from typing import Any, TypeVar, cast

from pydantic import TypeAdapter, ValidationError

T = TypeVar("T")


class Mistake(ValueError):
    """A caller's mistake, said in one sentence that names the field."""


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def read_as(kind: type[T], raw: object) -> T:
    """Returns `raw` as a `kind`; raises Mistake naming the first field that does not fit.

    Text is accepted where a number is meant ("20" is 20.0), so that command lines need no second
    set of rules.
    """
    try:
        return cast("T", _adapter(cast("Hashable", kind)).validate_python(raw))
    except ValidationError as error:
        raise Mistake(_sentence(error)) from None


def _sentence(error: ValidationError) -> str:
    first = error.errors(include_input=False, include_url=False)[0]
    field = ".".join(str(part) for part in first["loc"])
    said = first["msg"].removeprefix("Value error, ")
    if first["type"] == "unexpected_keyword_argument":
        said = "there is no such setting; check its spelling"
    return f"{field}: {said}" if field else said
