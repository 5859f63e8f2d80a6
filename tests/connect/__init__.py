"""From a link to a connection."""
