"""Tests of the log and of what is masked in it."""
