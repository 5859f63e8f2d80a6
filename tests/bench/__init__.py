"""Tests of `python -m bench.refreshes`: small runs for real, and what it refuses."""
