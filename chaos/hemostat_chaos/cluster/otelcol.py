"""The OpenTelemetry Collector, built by its own builder with the parts that are wanted."""

from __future__ import annotations

import os
from pathlib import Path

from hemostat_chaos.cluster import atomic, gotool, run
from hemostat_chaos.cluster.constants import BUILD_DEADLINE
from hemostat_chaos.cluster.paths import cache_root

VERSION = "0.155.0"
CONTRIB = "github.com/open-telemetry/opentelemetry-collector-contrib"
_GO = (1, 25)
_BUILDER = f"go.opentelemetry.io/collector/cmd/builder@v{VERSION}"


def otelcol(parts: str) -> Path:
    """Return a Collector, built once and kept.

    Args:
        parts: what the builder's manifest says besides `dist`: receivers, exporters, connectors and so on.

    Raises:
        ClusterError: if it cannot be built; the message has the end of the builder's log.
    """
    manifest = f"dist: {{name: otelcol, output_path: OUT, version: {VERSION}}}\n{parts}"
    folder = cache_root() / "otelcol" / f"{VERSION}-{atomic.key_of([manifest])}"
    if not folder.is_dir():
        go = gotool.go_command(_GO)
        log = cache_root() / "log" / f"{folder.name}.log"
        with atomic.publish(folder) as partial, atomic.scratch(folder.parent, "build") as work:
            partial.mkdir()
            (work / "manifest.yaml").write_text(manifest.replace("OUT", str(work / "out")))
            env = {"GOBIN": str(work), "PATH": f"{go.parent}:{os.environ['PATH']}"}
            hint = "make the Go module proxy reachable, then run the same command again"
            steps: list[run.Argv] = [[go, "install", _BUILDER], [work / "builder", "--config", work / "manifest.yaml"]]
            for argv in steps:
                run.logged(argv, log, deadline=BUILD_DEADLINE, env=env, append=True, hint=hint)
            (work / "out" / "otelcol").rename(partial / "otelcol")
    return folder / "otelcol"
