"""Sends errors to Sentry, where REFRESHER_SENTRY_DSN is set and `refresher[sentry]` is installed.

Nothing is imported otherwise. What leaves goes through the same net as the log (`masking.py`): no
request, no local variable, no personal data.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from refresher import __version__
from refresher.errors import SettingsError
from refresher.rules.masking import masked
from refresher.settings import Settings

if TYPE_CHECKING:
    from sentry_sdk.transport import Transport
    from sentry_sdk.types import Event, Hint

_started = False


def start(settings: Settings, role: str, transport: Transport | None = None) -> bool:
    """Begins to report, and returns whether it does; raises `SettingsError` for a DSN that is none."""
    global _started  # noqa: PLW0603  one per process, as Sentry's own client is
    if settings.sentry_dsn is None:
        return False
    try:
        import sentry_sdk  # noqa: PLC0415  an extra
        from sentry_sdk.utils import BadDsn  # noqa: PLC0415
    except ImportError:
        raise SettingsError(
            'REFRESHER_SENTRY_DSN is set, and sentry-sdk is missing: `pip install "refresher[sentry]"`'
        ) from None
    try:
        sentry_sdk.init(
            dsn=settings.sentry_dsn.get_secret_value(),
            release=f"refresher@{__version__}",
            environment=settings.sentry_environment,
            # Personal data is off by default; naming the old option warns in newer versions.
            include_local_variables=False,
            max_request_body_size="never",
            auto_enabling_integrations=False,
            before_send=scrubbed,
            before_breadcrumb=lambda crumb, _hint: cast("dict[str, Any]", masked(crumb)),
            transport=transport,
        )
    except BadDsn:
        raise SettingsError("REFRESHER_SENTRY_DSN is no DSN of Sentry") from None
    sentry_sdk.set_tag("role", role)
    _started = True
    return True


def stop() -> None:
    """Sends what is left, and ends."""
    global _started  # noqa: PLW0603
    if _started:
        import sentry_sdk  # noqa: PLC0415

        sentry_sdk.flush(2.0)
        sentry_sdk.init()
        _started = False


def report(event: Mapping[str, Any]) -> None:
    """Reports a line of our log that carries an exception; does nothing where nobody listens."""
    given = event.get("exc_info")
    if not _started or not given:
        return
    import sentry_sdk  # noqa: PLC0415

    error = sys.exc_info() if given is True else given
    with sentry_sdk.new_scope() as scope:
        bound = {k: v for k, v in event.items() if k not in {"exc_info", "timestamp"}}
        scope.set_context("log", masked(bound))
        scope.capture_exception(error)


def scrubbed(event: Event, _hint: Hint) -> Event:
    """Returns the event without anything that looks like a secret."""
    return cast("Event", masked(event))
