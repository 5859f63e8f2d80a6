"""A token endpoint's answer that an application hands over as it came: what is taken of it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from refresher.rules.answers import as_token, error_code, read_grant, read_parsed
from refresher.rules.handed_error import detail_of, refusal
from refresher.rules.providers import Provider
from refresher.rules.registration import NewConnection


def answered(new: NewConnection, provider: Provider, now_epoch_seconds: float) -> NewConnection:
    """Returns the connection with what its `answer` brings, read like the answer to a refresh.

    Raises `InvalidConnection` for an error. An answer without any token brings none.
    """
    if new.answer is None:
        return new
    told = read_parsed(provider, new.answer)
    grant = read_grant(provider, told, now_epoch_seconds)
    if grant is None:
        return _without_access_token(new, provider, told)
    return replace(
        new,
        answer=None,
        access_token=grant.access_token,
        refresh_token=grant.refresh_token,
        expires_in_seconds=grant.expires_in_seconds,
        refresh_token_expires_in_seconds=grant.refresh_token_expires_in_seconds or None,
        granted_scopes=grant.scopes or new.granted_scopes,
        kept=grant.kept,
    )


def _without_access_token(
    new: NewConnection, provider: Provider, told: Mapping[str, object]
) -> NewConnection:
    """Returns the connection with a refresh token alone, if that came; an error is refused."""
    code = error_code(provider, told)
    if code or told.get("ok") is False or told.get("success") is False:
        raise refusal(code or "no success", detail_of(told, told.get("error")))
    return replace(new, answer=None, refresh_token=as_token(told.get("refresh_token")))
