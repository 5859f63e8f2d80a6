"""Tests of `refresher bench`: small runs for real, and what it refuses."""
