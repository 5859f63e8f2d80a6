"""The fields of a token answer that callers need beside the token, such as Salesforce's `instance_url`.

An entry names them (`keep_fields`). Their values are texts, numbers, true or false, and small; anything
else is as if absent, for no answer may be lost to a field that is no token. What is called like a token
(`id_token`) is one: it is stored sealed, like the pair. Pure, and raises on no input.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from refresher.rules.connection import Secret

KeptFields = Mapping[str, str | int | float | bool]
MAX_FIELDS = 32
MAX_TEXT_LENGTH = 16_384
MAX_WHOLE_BYTES = 65_536
MAX_NUMBER = 2**53
SLOT = "slot:"
"""Begins the name of a kept secret that is the token of a slot (`rules/slots.py`)."""
_SECRET = re.compile(r"token|secret|passw|assertion|credential|cookie|jwt|key$", re.IGNORECASE)
_PLAIN = re.compile(r"token_(type|url|uri|endpoint)$|_at$|expires?_in", re.IGNORECASE)


def is_secret(name: str) -> bool:
    """Returns whether a field of this name holds a secret: `id_token` does, `token_type` does not."""
    if name.startswith(SLOT):
        return True
    return bool(_SECRET.search(name)) and not _PLAIN.search(name)


def kept(names: tuple[str, ...], answer: Mapping[str, object]) -> KeptFields:
    """Returns what `answer` has of the named fields; `team.id` stands for a field within a field."""
    found: dict[str, str | int | float | bool] = {}
    size = 0
    for name in names:
        value = _value(_at(answer, name))
        if value is not None:
            size += len(json.dumps(value))
            if size > MAX_WHOLE_BYTES:
                break
            found[name] = value
    return found


def as_answer(fields: Mapping[str, object]) -> dict[str, object]:
    """Returns the fields as they stood in their answer: `team.id` within `team`, and as it is, too."""
    whole: dict[str, object] = dict(fields)
    for name, value in fields.items():
        *above, last = name.split(".")
        inner = whole
        for key in above:
            deeper = inner.get(key)
            if not isinstance(deeper, dict):
                deeper = inner[key] = {}
            inner = deeper
        inner[last] = value
    return whole


def plain_text(fields: KeptFields) -> str | None:
    """Returns the fields that are no secrets as JSON, None when there are none."""
    return _text({name: value for name, value in fields.items() if not is_secret(name)})


def secret_text(fields: KeptFields) -> Secret | None:
    """Returns the others as JSON, to be sealed."""
    text = _text({name: value for name, value in fields.items() if is_secret(name)})
    return Secret(text) if text else None


def from_secret_text(secret: Secret) -> dict[str, str | int | float | bool]:
    """Returns the fields of a `secret_text`, without the tokens of slots: who wants one asks for it."""
    fields: dict[str, str | int | float | bool] = json.loads(secret.reveal())
    return {name: value for name, value in fields.items() if not name.startswith(SLOT)}


def _text(fields: KeptFields) -> str | None:
    return json.dumps(fields) if fields else None


def _at(answer: Mapping[str, object], name: str) -> object:
    if name in answer:
        return answer[name]
    value: object = answer
    for key in name.split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def _value(value: object) -> str | int | float | bool | None:
    match value:
        case bool():
            return value
        case str():
            return value if value and _is_storable(value) else None
        case int() | float():
            # Neither NaN nor more than each reader of JSON takes; compared so, no int is too long.
            return value if abs(value) < MAX_NUMBER else None
        case _:
            return None


def _is_storable(text: str) -> bool:
    surrogate = any("\ud800" <= c <= "\udfff" for c in text)
    return len(text) <= MAX_TEXT_LENGTH and "\x00" not in text and not surrogate
