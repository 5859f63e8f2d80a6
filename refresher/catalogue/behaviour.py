"""Whether what an entry says of answers and of behaviour makes sense together.

Pure: yields sentences, raises nothing. A part of `checks.py`.
"""

from __future__ import annotations

from collections.abc import Iterator

from refresher.rules.placeholders import named_in
from refresher.rules.providers import Provider, Rotation

_TROUBLE = ("408", "429")


def behaviour_faults(provider: Provider) -> Iterator[str]:
    """Yields every contradiction, each as one sentence that begins with a field."""
    yield from _status_faults(provider)
    yield from _pause_faults(provider)
    yield from _token_faults(provider)
    yield from _end_faults(provider)


def _status_faults(provider: Provider) -> Iterator[str]:
    for status in provider.status_errors:
        if not (len(status) == 3 and status.isdecimal() and "300" <= status <= "599"):
            yield f'status_errors has "{status}", which is no status from 300 to 599'
        elif status in _TROUBLE:
            yield f"status_errors has {status}, which never is more than trouble that passes"
        elif status >= "500" and int(status) not in provider.refusal_statuses:
            yield (
                f"status_errors has {status}, at which codes do not count: add it to refusal_statuses"
            )
    for number in sorted(provider.refusal_statuses):
        if not 500 <= number <= 599:
            yield f"refusal_statuses has {number}, but takes 500 to 599: below, codes count anyway"


def _pause_faults(provider: Provider) -> Iterator[str]:
    url = provider.refresh_url or provider.token_url
    if provider.pause_scope == "provider" and not named_in([url]):
        yield 'pause_scope is "provider", which needs a URL with a placeholder: leave it out'


def _token_faults(provider: Provider) -> Iterator[str]:
    if provider.prolongs and provider.is_minted:
        yield f"prolongs is true, but {provider.strategy} presents no token that could be prolonged"
    ends = provider.reuse_grace_ends
    if provider.retry == "never" and (provider.reuse_grace_seconds or ends != "time"):
        yield 'retry is "never", but a spent token has a grace (reuse_grace_…), in which it may be sent'
    if provider.retry == "never" and provider.rotation is Rotation.NEVER:
        yield 'retry is "never", but rotation is "never": no request spends a token'
    if provider.retry == "never" and provider.replay_after_seconds:
        yield 'replay_after_seconds is set, but retry is "never": nothing is presented again'
    if ends != "time" and provider.rotation is Rotation.NEVER:
        yield f'reuse_grace_ends is "{ends}", but rotation is "never": no refresh spends a token'


def _end_faults(provider: Provider) -> Iterator[str]:
    second = provider.refresh_token_absolute_seconds
    is_told = second is not None or provider.refresh_token_absolute_fields
    if is_told and provider.refresh_token_clock == "fixed":
        field = "refresh_token_absolute_" + ("seconds" if second is not None else "fields")
        yield f'{field} is set, but refresh_token_clock is "fixed": that is the one end, from consent'
    idle = provider.refresh_token_lifetime_seconds
    if second is not None and idle is not None and second <= idle:
        yield (
            f"refresh_token_absolute_seconds is {second:g}, not more than "
            f"refresh_token_lifetime_seconds ({idle:g}): then the clock is fixed"
        )
    if both := set(provider.refresh_token_absolute_fields) & set(
        provider.refresh_token_lifetime_fields
    ):
        name = min(both)
        yield f'refresh_token_absolute_fields has "{name}", which tells the sliding end'
