"""Settings: where each value comes from, and what is said of a mistake."""
