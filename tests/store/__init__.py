"""All SQL, on real Postgres."""
