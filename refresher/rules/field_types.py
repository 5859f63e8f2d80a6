"""What a field of the providers file may hold: the types that the catalogue checks tables against.

`Provider` and `SignalSource` are declared with them. A number is never a text of one, nor true.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from datetime import date
from functools import cache
from types import MappingProxyType
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    Literal,
    NotRequired,
    TypeVar,
    get_type_hints,
)

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    WithJsonSchema,
    create_model,
)
from pydantic_core import PydanticCustomError
from typing_extensions import TypedDict

from refresher.rules.consent import Consent, Identity, Place, SecondStep
from refresher.rules.facts import Change
from refresher.rules.kept_fields import MAX_FIELDS
from refresher.rules.providers import Path, Paths, Slot

T = TypeVar("T")
Given = TypeVar("Given", Path, Paths)


def _path(given: object) -> Path:
    """Returns a way into an answer: names, and numbers that step into lists."""
    steps = given if isinstance(given, list | tuple) else None
    if steps is None or not all(_is_step(step) for step in steps):
        raise PydanticCustomError("path", "must be a list of names and numbers")
    return tuple(steps)


def _is_step(step: object) -> bool:
    return bool(step) if isinstance(step, str) else isinstance(step, int) and type(step) is int


def _name(given: object) -> Path:
    """Returns a way into an answer that is given as one name, or as a path."""
    return _path([given] if isinstance(given, str) else given)


def _ways(given: object) -> Paths:
    """Returns one way into an answer, or several."""
    several = given if isinstance(given, list | tuple) and given else None
    if several is None or not all(isinstance(way, list | tuple) for way in several):
        return _path(given)
    return tuple(_some(_path(way)) for way in several)


def _ways_to_some(given: object) -> Paths:
    return _some(_ways(given))


def _some(given: Given) -> Given:
    if not given:
        raise PydanticCustomError("too_short", "must not be empty")
    return given


def _listed(given: object) -> object:
    return [given] if isinstance(given, str) else given


def _frozen(given: Mapping[str, T]) -> Mapping[str, T]:
    return MappingProxyType(dict(given))


def _assertion_life(given: float) -> float:
    if not 60 <= given <= 86_400:
        raise PydanticCustomError("assertion_life", "must be between 60 and 86,400 seconds")
    return given


SomeText = Annotated[str, Field(min_length=1)]
Texts = Annotated[Mapping[str, SomeText], AfterValidator(_frozen)]
Names = Annotated[Mapping[str, str], AfterValidator(_frozen)]
Codes = frozenset[Annotated[str, Field(min_length=1, max_length=120)]]
KeptNames = Annotated[tuple[SomeText, ...], Field(max_length=MAX_FIELDS)]
LongText = Annotated[str, Field(min_length=1, max_length=2_000)]
LongTexts = Annotated[tuple[LongText, ...], Field(min_length=1)]
Events = Annotated[frozenset[LongText], Field(min_length=1)]
Header = Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,100}$")]
Prefix = Annotated[str, Field(max_length=100)]
Switch = Annotated[bool, Field(strict=True)]
Day = Annotated[date, Field(strict=True)]
LifeSeconds = Annotated[float, Field(strict=True, gt=0, allow_inf_nan=False)]
WaitSeconds = Annotated[float, Field(strict=True, ge=0, allow_inf_nan=False)]
ReplayWait = Annotated[float, Field(strict=True, ge=0, le=3_600)]
AssertionLife = Annotated[float, Field(strict=True), AfterValidator(_assertion_life)]
RequestRate = Annotated[float, Field(gt=0, le=100_000)]
Steps = Annotated[Path, BeforeValidator(_path)]
NameOrPath = Annotated[Path, BeforeValidator(_name)]
Ways = Annotated[Paths, BeforeValidator(_ways)]
PathsToSome = Annotated[Paths, BeforeValidator(_ways_to_some)]
Statuses = frozenset[Annotated[int, Field(strict=True)]]
if TYPE_CHECKING:  # who builds an entry in Python writes any text
    AnswerField = str
else:
    AnswerField = Literal[
        "access_token", "refresh_token", "expires_in", "refresh_token_expires_in", "scope"
    ]
AnswerNames = Annotated[
    Mapping[AnswerField, Annotated[Path, BeforeValidator(_name), Field(min_length=1)]],
    AfterValidator(_frozen),
]


class ChangeTable(TypedDict):
    """A table of `changes`."""

    __pydantic_config__ = ConfigDict(extra="forbid")  # type: ignore[misc]
    on: Day
    what: SomeText
    url: SomeText


if TYPE_CHECKING:
    Changes = tuple[Change, ...]
else:
    Changes = tuple[Annotated[ChangeTable, AfterValidator(lambda given: Change(**given))], ...]


class SlotTable(TypedDict):
    """A table of `slots`."""

    __pydantic_config__ = ConfigDict(extra="forbid")  # type: ignore[misc]
    path: Annotated[Path, BeforeValidator(_path), Field(min_length=1)]
    where: NotRequired[Texts]
    refreshed: NotRequired[Literal["apart", "together"]]


if TYPE_CHECKING:
    Slots = Mapping[str, Slot]
else:
    Slots = Annotated[
        Mapping[str, Annotated[SlotTable, AfterValidator(lambda given: Slot(**given))]],
        AfterValidator(_frozen),
    ]


@cache
def model_of(kind: Any) -> type[BaseModel]:
    """Returns the model of a table within an entry: the fields of a value. Its defaults are its own."""
    hints = get_type_hints(kind, localns=globals(), include_extras=True)
    own: dict[str, Any] = {
        f.name: (hints[f.name], ... if f.default is f.default_factory is MISSING else None)
        for f in fields(kind)
    }
    config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)
    return create_model(kind.__name__, __config__=config, **own)


def _made(kind: Any) -> Callable[[object], object]:
    """Returns what makes a value of a table; its model is built for the first table that there is."""

    def made(given: object) -> object:
        if not isinstance(given, dict):
            raise PydanticCustomError("table", "must be a table")
        read = model_of(kind).model_validate(given)
        made_of: object = kind(**{name: getattr(read, name) for name in read.model_fields_set})
        return made_of

    return made


AccountPaths = Annotated[
    tuple[Annotated[Path, BeforeValidator(_name), Field(min_length=1)], ...], Field(min_length=1)
]
Places = Annotated[tuple[Place, ...], BeforeValidator(_listed), Field(min_length=1)]
if TYPE_CHECKING:
    Connect = Consent
    IdentityPart = Identity
    SecondStepPart = SecondStep
else:
    _TABLE = WithJsonSchema({"type": "object"})
    Connect = Annotated[Any, PlainValidator(_made(Consent)), _TABLE]
    IdentityPart = Annotated[Any, PlainValidator(_made(Identity)), _TABLE]
    SecondStepPart = Annotated[Any, PlainValidator(_made(SecondStep)), _TABLE]
