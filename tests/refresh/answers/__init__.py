"""What providers answer in the wild, played byte for byte by a real server; and what is kept of it."""
