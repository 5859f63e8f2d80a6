"""Tests of the SDK: `refresher.client`."""
