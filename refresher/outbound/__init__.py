"""All that leaves this process: token requests, webhooks, key sets, mail."""
