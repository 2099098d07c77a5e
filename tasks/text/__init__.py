"""Text layout by Unicode rules."""
