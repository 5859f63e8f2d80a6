"""Tests of refresher.embedded: real servers, real crashes."""
