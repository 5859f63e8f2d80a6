"""The other story: from a notice through the outbox to mails and webhooks."""
