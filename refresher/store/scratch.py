"""Makes and drops the databases of a test run, on a server where that is allowed.

A migrated template is made once; each test gets a copy of it, which takes some tens of milliseconds.
"""

from __future__ import annotations

from sqlalchemy import URL, create_engine, make_url, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from refresher.store.migrate import upgrade
from refresher.store.refusals import as_told


class ScratchServer:
    """A server to make databases on; `url` names one that exists, and a role that may create others."""

    def __init__(self, url: str) -> None:
        self._url = make_url(url)

    def create_migrated(self, name: str) -> str:
        """Makes a database with refresher's tables, and returns its URL."""
        made = self.create(name, "template1")
        upgrade(made)
        return made

    def create(self, name: str, template: str) -> str:
        """Makes a copy of the database `template`, to which nobody may be connected."""
        self.drop(name)
        self._run(f'create database "{name}" template "{template}"')
        made = self._url.set(database=name)
        if template != "template1":
            # A copy for a test is an installation of its own, not a backup of another test's.
            self._run("update installation set id = gen_random_uuid()", made)
        return made.render_as_string(hide_password=False)

    def drop(self, name: str) -> None:
        """Removes a database of this name where there is one, and the sessions in it."""
        self._run(f'drop database if exists "{name}" with (force)')

    def _run(self, statement: str, at: URL | None = None) -> None:
        engine = create_engine(at or self._url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
        try:
            with engine.connect() as db:
                db.execute(text(statement))
        except DBAPIError as error:
            url = self._url.render_as_string(hide_password=False)
            raise as_told(error, url) from error
        finally:
            engine.dispose()
