"""Tests of `refresher.on_demand`."""
