"""Tests of what people see: events, looking back, explanations."""
