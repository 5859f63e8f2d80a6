"""Whether what a connect session was made with still holds: looked at again at each step (C11)."""

from __future__ import annotations

from refresher.errors import UnknownProvider
from refresher.rules import return_urls
from refresher.rules.connect import Kind, Session
from refresher.rules.connect_steps import Right
from refresher.rules.consent import why_not
from refresher.runtime.services import Services
from refresher.store.connect import Standing


def right_of(services: Services, session: Session, stands: Standing) -> Right:
    """Returns whether what the session was made with still holds (C11)."""
    target, url = stands.target, session.return_url
    listed = services.settings.connect_return_urls
    try:
        entry_fault = why_not(services.catalogue[session.provider])
    except UnknownProvider as error:
        entry_fault = str(error)
    return Right(
        key_alive=stands.key_alive,
        connection_gone=session.kind is Kind.RECONNECT and (target is None or target.deleted),
        connection_disabled=target is not None and target.disabled and not target.deleted,
        return_url_fault=url and return_urls.fault(url, session.finish, listed, stands.return_urls),
        provider_fault=entry_fault,
    )
