"""How an app proves itself: keys, assertions, client certificates, grants without a person."""
