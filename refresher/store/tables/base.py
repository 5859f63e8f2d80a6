"""What every table shares: the metadata with its naming rules, and the column of an instant."""

from __future__ import annotations

from sqlalchemy import Column, DateTime, MetaData, text

metadata = MetaData(
    naming_convention={
        "ix": "%(table_name)s_%(column_0_N_name)s_idx",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "ck": "%(table_name)s_%(constraint_name)s_check",
        "fk": "%(table_name)s_%(column_0_name)s_fkey",
        "pk": "%(table_name)s_pkey",
    }
)


def instant(name: str, *, required: bool = False, default_now: bool = False) -> Column[object]:
    """Returns an aware timestamp column; `default_now` fills it with the database's clock."""
    return Column(
        name,
        DateTime(timezone=True),
        nullable=not (required or default_now),
        server_default=text("refresher_now()") if default_now else None,
    )
