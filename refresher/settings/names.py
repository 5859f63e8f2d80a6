"""The names of settings: which variable sets which field, what a flow has, which variable is a typo."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from refresher.errors import did_you_mean
from refresher.rules.words import place, said

PREFIX = "REFRESHER_"
Queue = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_.-]*$", max_length=80)]
_PLAIN = {
    "database_url": "DATABASE_URL",
    "redis_url": "REDIS_URL",
    "rabbitmq_url": "RABBITMQ_URL",
    "port": "PORT",
}
_NUMBERS = {"float_parsing", "int_parsing", "int_from_float"}
_UNITS = {"s": 1, "sec": 1, "m": 60, "min": 60, "h": 3_600, "d": 86_400}
OF_THE_SDK = {"REFRESHER_API_URL", "REFRESHER_API_KEY"}
"""Read by `refresher.client`, in applications; they begin like settings and are none."""
_EARLIER = {"REFRESHER_HEALTH_HOST"}
"""Names that a setting had before, and that are still understood."""


Transport = Literal["in_process", "redis", "rabbitmq"]


class Flow(BaseModel):
    """How one flow runs: where its actors live, on which queue, and whether at all."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    transport: Transport = "redis"
    """`in_process`: the scheduler runs the actors itself; `redis`, `rabbitmq`: workers do"""
    queue: Queue
    """the name of its queue"""
    enabled: bool = True
    """its switch"""


class IntegrationRefresh(Flow):
    """The flow that refreshes tokens."""

    queue: Queue = "integration_refresh"


class NotificationEmail(Flow):
    """The flow that sends notices by mail: few messages, so the scheduler can send them itself."""

    transport: Transport = "in_process"
    queue: Queue = "notification_email"


class WebhookDelivery(Flow):
    """The flow that sends webhooks; by default the scheduler sends them itself, on threads apart."""

    transport: Transport = "in_process"
    queue: Queue = "webhook_delivery"


def variable(field: str) -> str:
    """Returns the environment variable that sets `field` (dots lead into a flow)."""
    return _PLAIN.get(field) or PREFIX + field.replace(".", "__").upper()


def sentence(error: Mapping[str, object], fields: Mapping[str, object]) -> str:
    """Returns what pydantic found wrong, naming the variable that somebody set."""
    name = ".".join(str(part) for part in place(error["loc"]))
    if name not in os.environ:  # of two names for one setting, the one that somebody set
        name = variable(name.removeprefix(PREFIX).lower())
    if error["type"] == "extra_forbidden":
        return _no_setting(name, fields)
    meant = meant_number(name, str(error["input"])) if error["type"] in _NUMBERS else None
    return f"{name} is wrong: {said(error, {})}" + (f"; {meant}" if meant else "")


def meant_number(name: str, given: str) -> str | None:
    """Returns which number to give instead of a text with a unit, None for no such text."""
    text = given.strip()
    if share := re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,9})?) *%", text):
        return f"give {float(share[1]) / 100:g} for {share[1]} %"
    span = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,9})?) *(s|sec|m|min|h|d)", text)
    if span and "SECONDS" in name:
        return f"give {float(span[1]) * _UNITS[span[2]]:.15g}, in seconds"
    if re.fullmatch(r"[0-9]{1,9},[0-9]{1,9}", text):
        return f"give {text.replace(',', '.')}, with a point"
    return None


def unknown_variables(fields: Mapping[str, object]) -> list[str]:
    """Names variables that look like ours and are not: a typo must not pass in silence."""
    ours = [v for v in os.environ if v.startswith(PREFIX) and not v.startswith(f"{PREFIX}TEST_")]
    known = known_variables(fields)
    # The parts of a flow are judged with it.
    parts = tuple(f"{variable(name)}__" for name in flows(fields))
    return [_no_setting(v, fields) for v in ours if v not in known and not v.startswith(parts)]


def flows(fields: Mapping[str, object]) -> list[str]:
    """Returns the names of the fields that are flows."""
    return [name for name, field in fields.items() if _is_flow(field)]


def flows_on(transport: str, settings: BaseModel) -> list[str]:
    """Returns the flows that are carried by this transport."""
    names = sorted(flows(type(settings).model_fields))
    return [name for name in names if getattr(settings, name).transport == transport]


def _is_flow(field: object) -> bool:
    annotation = getattr(field, "annotation", None)
    return isinstance(annotation, type) and issubclass(annotation, Flow)


def known_variables(fields: Mapping[str, object]) -> set[str]:
    """Returns the names that variables of ours may have."""
    known = {PREFIX + name.upper() for name in fields}
    parts = {variable(f"{flow}.{part}") for flow in flows(fields) for part in Flow.model_fields}
    return known | parts | _EARLIER | OF_THE_SDK | {variable(name) for name in fields}


def _no_setting(name: str, fields: Mapping[str, object]) -> str:
    hint = did_you_mean(name, known_variables(fields), PREFIX)
    return f"{name} is no setting{hint}; `refresher settings` lists all"
