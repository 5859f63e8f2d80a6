"""What people do to connections, apps and keys."""
