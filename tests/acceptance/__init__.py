"""Real processes against OAuth servers that we did not write."""
