"""Tests of what refresher ships for the tests of others."""
