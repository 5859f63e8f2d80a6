"""Tests of `refresher/notify/`."""
