"""Routes that make this server send requests: webhooks, and recordings to download."""
