"""Other projects' CustomResourceDefinitions, out of their own Go modules: never copied, fetched when needed."""

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from hemostat_chaos.cluster.binaries import go

DEADLINE_SECONDS = 300


@dataclass(frozen=True, slots=True)
class Module:
    """A Go module, pinned by version and by the checksum of its contents."""

    path: str
    version: str
    sum: str
    files: tuple[str, ...]
    """Its files with CRDs, from its root."""

    def folder(self) -> Path:
        """Return where its contents are, fetched if need be."""
        # A go.mod of ours would pin its dependencies too; the one line of go.sum is checked here instead.
        done = subprocess.run(
            [go(), "mod", "download", "-json", f"{self.path}@{self.version}"],
            capture_output=True,
            text=True,
            timeout=DEADLINE_SECONDS,
            check=False,
            env={**os.environ, "GOFLAGS": "-mod=mod"},
        )
        said = json.loads(done.stdout or "{}")
        assert done.returncode == 0, (
            f"{self.path}: {said.get('Error') or done.stderr}; is the Go module proxy reachable?"
        )
        assert said["Sum"] == self.sum, f"{self.path}@{self.version} is not what was tested: {said['Sum']}"
        return Path(said["Dir"])

    def definitions(self) -> Iterator[dict[str, Any]]:
        """Yield its CustomResourceDefinitions."""
        folder = self.folder()
        for name in self.files:
            for document in yaml.safe_load_all((folder / name).read_text()):
                if document and document.get("kind") == "CustomResourceDefinition":
                    yield document


ISTIO = Module(
    "istio.io/api",
    "v1.31.1",
    "h1:5Yb5ihcz4YQsCkciusK7DnFpBMwRB6EFWeUKH1Atuyk=",
    ("kubernetes/customresourcedefinitions.gen.yaml",),
)
ENVOY_GATEWAY = Module(
    "github.com/envoyproxy/gateway",
    "v1.9.1",
    "h1:vAVp6/AlBXJ1aOhp1mxL7fNEzVEfjADUguUhm2wzxQY=",
    ("charts/gateway-helm/charts/crds/crds/generated/gateway.envoyproxy.io_backendtrafficpolicies.yaml",),
)
KEDA = Module(
    "github.com/kedacore/keda/v2",
    "v2.21.0",
    "h1:R6z2HZvstK4RLUMxroNACzBj74xGxt3kG59b5Xc+Xps=",
    ("config/crd/bases/keda.sh_scaledobjects.yaml",),
)
