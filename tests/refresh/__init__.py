"""Tests of `refresher.refresh.on_demand`."""
