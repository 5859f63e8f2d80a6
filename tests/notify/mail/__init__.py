"""Tests of mail: rendering, senders, the story from news to inbox."""
