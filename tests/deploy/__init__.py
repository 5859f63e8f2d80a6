"""What lies in deploy/ is checked by published schemas, and run as far as this machine can."""
