"""Tests of metrics, dashboards and alerts."""
