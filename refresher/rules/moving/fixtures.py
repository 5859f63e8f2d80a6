"""Reads what Django's `dumpdata` writes: entries of several models, held together by their keys.

A token of django-allauth stands behind its account and its app, as `dumpdata` orders models, and gets
their fields. Of an account, three texts are kept until the end of the file.
"""

from __future__ import annotations

from typing import TypeGuard

from refresher.errors import InvalidConnection
from refresher.rules.moving.theirs import Row


def is_entry(row: object) -> TypeGuard[Row]:
    """Whether it is an entry of a fixture."""
    return isinstance(row, dict) and {"model", "fields"} <= row.keys()


class Fixture:
    """Makes rows of the entries of one file, one after the other."""

    def __init__(self) -> None:
        self._accounts: dict[object, Row] = {}
        self._clients: dict[object, object] = {}

    def row(self, entry: Row) -> Row | None:
        """Returns the row of an entry, None for one that is no token; raises `InvalidConnection`."""
        fields, key = entry.get("fields"), entry.get("pk")
        if not isinstance(fields, dict):
            raise InvalidConnection("its fields are no object")
        plain = {name: _alone(value) for name, value in fields.items()}
        match entry.get("model"):
            case "social_django.usersocialauth":
                return plain
            case "socialaccount.socialapp":
                self._clients[key] = plain.get("client_id")
            case "socialaccount.socialaccount":
                wanted = {"provider": plain.get("provider"), "uid": plain.get("uid")}
                self._accounts[key] = {**wanted, "user_id": plain.get("user")}
            case "socialaccount.socialtoken":
                return self._token(plain)
            case _:
                pass
        return None

    def _token(self, fields: Row) -> Row:
        account = self._accounts.get(fields.get("account"))
        if account is None:
            raise InvalidConnection(
                "its account does not stand before it in the file: dump all of socialaccount, "
                "`manage.py dumpdata socialaccount`"
            )
        return {**fields, **account, "client_id": self._clients.get(fields.get("app"))}


def _alone(value: object) -> object:
    """Returns a natural key of one part as that part."""
    return value[0] if isinstance(value, list) and len(value) == 1 else value
