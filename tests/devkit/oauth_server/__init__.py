"""Tests of the fake OAuth server: what it gives, refuses, breaks on purpose and remembers."""
