"""`refresher/connections/`: what people do to connections, through the one door."""
