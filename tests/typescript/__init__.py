"""The TypeScript client, tested by Node's own runner against a refresher that runs."""
