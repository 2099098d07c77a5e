"""Accounts: users, sessions, API keys, invitations, quotas and preferences."""
