"""Cluster names, and every name on the machine that is derived from one."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from hemostat_chaos.cluster.errors import ClusterError

_VALID = re.compile(r"[a-z]([a-z0-9-]{0,18}[a-z0-9])?")
_INTERFACE_LIMIT = 15  # IFNAMSIZ without the final zero


@dataclass(frozen=True)
class ClusterName:
    """A checked name: short lower-case letters, digits and dashes."""

    value: str

    def __post_init__(self) -> None:
        if not _VALID.fullmatch(self.value):
            raise ClusterError(
                f"{self.value!r} cannot be a cluster's name",
                hint="use 1 to 20 of a-z, 0-9 and '-', beginning with a letter, not ending with '-'",
            )

    def __str__(self) -> str:
        return self.value

    @property
    def kind(self) -> str:
        """Return the name that kind knows the cluster by."""
        return f"hemostat-{self.value}"

    @property
    def context(self) -> str:
        """Return the name of the context that kind writes."""
        return f"kind-{self.kind}"

    @classmethod
    def of_context(cls, context: str) -> ClusterName:
        """Return the name of the cluster that this context of a kubeconfig is about."""
        prefix = cls("x").context.removesuffix("x")
        if not context.startswith(prefix):
            raise ClusterError(f"{context!r} is no cluster that was made here", hint=f"its name begins with {prefix}")
        return cls(context.removeprefix(prefix))

    @property
    def namespace(self) -> str:
        """Return the name of its network namespace."""
        return f"hemostat-{self.value}"

    @property
    def cgroup(self) -> str:
        """Return the name of the control group that all its processes are in."""
        return f"hemostat-{self.value}"

    @property
    def host_link(self) -> str:
        """Return the host's end of the link into the namespace."""
        return self._interface("hmo")

    @property
    def inner_link(self) -> str:
        """Return the namespace's end of the link."""
        return self._interface("hmi")

    def _interface(self, prefix: str) -> str:
        # Hashed, because an interface's name is too short for a whole cluster name.
        digest = hashlib.sha256(self.value.encode()).hexdigest()
        return f"{prefix}-{digest[:8]}"[:_INTERFACE_LIMIT]
