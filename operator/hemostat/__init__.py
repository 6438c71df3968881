"""Hemostat: a self-healing observability operator for Kubernetes.

Data flows one way: telemetry -> signal -> incident -> diagnosis -> gate -> action -> verification -> memory.
`hemostat observe` reads and never touches; `hemostat act` touches and never reads telemetry streams or a model.
Between the two there are only Kubernetes resources (package `hemostat.api`).
"""

__version__ = "0.1.0"
