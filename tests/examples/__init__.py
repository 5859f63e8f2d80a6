"""The examples, each run as its reader would, against a real refresher and a strict provider."""
