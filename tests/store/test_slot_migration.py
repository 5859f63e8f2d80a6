"""A slot becomes a connection of its own where the schema goes back, so that no token is lost."""

from alembic import command

from refresher.settings import sqlalchemy_url
from refresher.store import migrate

ROWS = """
insert into connection (id, organization_id, provider, external_id) values
    ('00000000-0000-0000-0000-000000000001', 'org', 'acme', '1');
insert into connection (id, organization_id, provider, external_id, slot, slot_of, access_token) values
    ('00000000-0000-0000-0000-000000000002', 'org', 'acme', '1', 'user',
     '00000000-0000-0000-0000-000000000001', decode(repeat('ab', 40), 'hex'));
"""
LEFT = "select external_id from connection where access_token is not null"


def test_going_back_keeps_each_slot_with_its_token(bare_database_url: str) -> None:
    """It is found by its account and its name, and going forward again loses nothing either."""
    url = sqlalchemy_url(bare_database_url)
    migrate.upgrade(url)
    config = migrate._config()
    with migrate.connection(url) as db:
        db.exec_driver_sql(ROWS)
        config.attributes["connection"] = db
        command.downgrade(config, "0021")
        assert db.exec_driver_sql(LEFT).scalars().all() == ["1/user"]
        command.upgrade(config, "head")
        assert db.exec_driver_sql(LEFT).scalars().all() == ["1/user"]
