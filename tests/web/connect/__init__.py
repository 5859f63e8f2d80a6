"""The pages on which a person connects an account."""
