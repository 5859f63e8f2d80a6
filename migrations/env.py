"""Alembic's entry: runs the migrations on the connection that `refresher.store.migrate` hands over."""

from alembic import context

from refresher.store.migrate import VERSION_TABLE
from refresher.store.tables import metadata


def run() -> None:
    """Runs all pending migrations in one transaction, so a failure leaves nothing half done."""
    connection = context.config.attributes["connection"]
    context.configure(
        connection=connection,
        target_metadata=metadata,
        compare_server_default=True,
        version_table=VERSION_TABLE,
    )
    with context.begin_transaction():
        context.run_migrations()


run()
