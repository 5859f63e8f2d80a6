"""The catalogue: its data, its loader, and the requests and meanings that follow from it."""
