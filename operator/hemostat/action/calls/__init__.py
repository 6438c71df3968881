"""Calls to other services: what is asked, what the answer shows, what is demanded (pure, but for `caller`)."""
