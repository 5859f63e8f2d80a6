"""Webhooks: real HTTP receivers, a real Postgres, and a clock that the test sets."""
