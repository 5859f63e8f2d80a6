"""Tests of how things stand, in words."""
