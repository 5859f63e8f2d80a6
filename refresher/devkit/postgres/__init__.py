"""A PostgreSQL server out of a wheel, for development: `refresher demo` and `refresher up`.

The rule of this folder: it is the only code that starts a database server, and nothing in it runs
when `DATABASE_URL` is set. It opens no session of ours (store/ does) and knows no tables.
Start with server.py (who shares a server, who stops it), then cluster.py (one data directory).
"""

from refresher.devkit.postgres.server import EmbeddedPostgres

__all__ = ["EmbeddedPostgres"]
