"""The project's own container images, and how they get into a cluster."""
