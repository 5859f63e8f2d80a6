"""Tests of refresher.devkit.postgres: real servers, real crashes."""
