"""Tests of the devkit: the guests of the house."""
