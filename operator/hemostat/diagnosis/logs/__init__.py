"""Lines of logs as entries: what is said, how bad it is, when, and the stack trace that belongs to it."""
