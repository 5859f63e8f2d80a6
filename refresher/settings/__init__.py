"""Every knob, in one frozen `Settings`, read from the environment (prefix `REFRESHER_`).

`load()` is the one way in: it validates each value, then the relations between them, and turns what
is wrong into sentences. Each setting is declared in `model.py`; all of them: docs/settings.md.
"""

from __future__ import annotations

from pydantic import ValidationError
from pydantic_settings import SettingsError as UnreadableVariable

from refresher.errors import SettingsError
from refresher.settings.checks import (
    connect_faults,
    contradictions,
    dashboard_faults,
    mail_faults,
    unreadable_urls,
)
from refresher.settings.database_url import sqlalchemy_url
from refresher.settings.model import Settings
from refresher.settings.names import (
    PREFIX,
    Flow,
    IntegrationRefresh,
    NotificationEmail,
    Transport,
    flows,
    flows_on,
    sentence,
    unknown_variables,
    variable,
)

__all__ = [
    "PREFIX",
    "Flow",
    "IntegrationRefresh",
    "NotificationEmail",
    "Settings",
    "Transport",
    "flows_on",
    "load",
    "sqlalchemy_url",
    "variable",
]


def load(**overrides: object) -> Settings:
    """Returns the settings of the environment; raises `SettingsError` naming each fault."""
    try:
        settings = Settings.model_validate(overrides) if overrides else Settings()
    except ValidationError as error:
        faults = [sentence({**e}, Settings.model_fields) for e in error.errors()]
        raise SettingsError("; ".join(faults)) from None
    except UnreadableVariable as error:
        known = flows(Settings.model_fields)
        flow = variable(next((name for name in known if f'"{name}"' in str(error)), known[-1]))
        raise SettingsError(
            f"{flow} must be a JSON object; set its parts one by one, such as {flow}__TRANSPORT"
        ) from None
    faults = [
        *unknown_variables(Settings.model_fields),
        *unreadable_urls(settings),
        *contradictions(settings),
        *mail_faults(settings),
        *connect_faults(settings),
        *dashboard_faults(settings),
    ]
    if faults:
        raise SettingsError("; ".join(faults))
    return settings
