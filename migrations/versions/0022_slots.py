"""Several tokens in one connection: a token beside the main one is a row of its own, found by its name.

Existing rows are main ones, and none is written: the default is the catalogue's business. Where there is
no way back for a slot, it stays as a connection of its own, so that no token is lost.
"""

from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

UP = """
ALTER TABLE connection
    ADD COLUMN slot TEXT DEFAULT '' NOT NULL,
    ADD COLUMN slot_of UUID CONSTRAINT connection_slot_of_fkey REFERENCES connection (id);
ALTER TABLE connection
    ADD CONSTRAINT connection_slot_of_main_check CHECK ((slot = '') = (slot_of IS NULL)),
    DROP CONSTRAINT connection_organization_id_provider_external_id_key,
    ADD CONSTRAINT connection_organization_id_provider_external_id_slot_key
        UNIQUE (organization_id, provider, external_id, slot);
CREATE INDEX connection_slot_of_idx ON connection (slot_of) WHERE slot_of IS NOT NULL;
"""
DOWN = """
UPDATE connection SET external_id = external_id || '/' || slot WHERE slot <> '';
ALTER TABLE connection
    DROP CONSTRAINT connection_organization_id_provider_external_id_slot_key,
    DROP COLUMN slot, DROP COLUMN slot_of,
    ADD CONSTRAINT connection_organization_id_provider_external_id_key
        UNIQUE (organization_id, provider, external_id);
"""


def upgrade() -> None:
    """Adds the two columns, and lets an account have a row for each slot."""
    op.execute(UP)


def downgrade() -> None:
    """Makes each slot a connection of its own: `T1/user`."""
    op.execute(DOWN)
