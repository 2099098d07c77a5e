"""Clients of other servers: Prefect and OpenID providers."""
