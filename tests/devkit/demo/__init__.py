"""Tests of `refresher demo`: real commands, real processes."""
