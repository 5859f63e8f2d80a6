"""Databases that are not our own: other versions of PostgreSQL, poolers, shared schemas, encodings."""
