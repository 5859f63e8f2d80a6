"""Journeys through the dashboard, in a browser."""
