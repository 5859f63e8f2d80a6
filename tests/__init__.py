"""Tests of refresher. Services (PostgreSQL, Redis) are real and come from wheels: services.py."""
