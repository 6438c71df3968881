"""Local Kubernetes clusters for tests, demos and experiments.

``python -m hemostat_chaos.cluster`` brings up a kind cluster. Where Docker and
an image registry answer it is an ordinary one; elsewhere the node image is
built from Go modules and Debian packages, and the cluster lives in a network
namespace of its own. :mod:`hemostat_chaos.cluster.apiserver` starts a bare API
server for tests that need no nodes.
"""
