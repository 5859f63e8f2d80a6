"""Guests of the house: nothing of the service imports them."""
