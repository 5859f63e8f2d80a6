"""What Postgres refuses while replies are in hand."""
