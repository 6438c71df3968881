"""AI agents that cannot, or will not, come to an end (pure)."""
