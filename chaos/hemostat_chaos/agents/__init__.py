"""The sample workload of AI agents, and the model that answers them by script."""
