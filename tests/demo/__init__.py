"""Tests of `refresher demo` and `refresher up`: real commands, real processes."""
