"""The project's own labelled incidents: how they are recorded from real pods, kept in `tests/incidents`, and read."""
