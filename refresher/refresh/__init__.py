"""The main story: claim, hand over, refresh, outlast, on demand."""
