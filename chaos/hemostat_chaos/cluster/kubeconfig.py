"""Kubeconfig files. They are written as JSON, which every YAML reader takes."""

from __future__ import annotations

import base64
import json
from pathlib import Path

from hemostat_chaos.cluster import atomic


def render(name: str, server: str, authority: bytes, certificate: bytes, key: bytes) -> str:
    """Render a kubeconfig with one cluster, one user and one context, all of the same name."""
    cluster = {"server": server, "certificate-authority-data": _base64(authority)}
    user = {"client-certificate-data": _base64(certificate), "client-key-data": _base64(key)}
    return (
        json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [{"name": name, "cluster": cluster}],
                "users": [{"name": name, "user": user}],
                "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
                "current-context": name,
            },
            indent=1,
        )
        + "\n"
    )


def write(path: Path, name: str, server: str, authority: Path, certificate: Path, key: Path) -> Path:
    """Write a kubeconfig from certificate files, readable by its owner alone."""
    text = render(name, server, authority.read_bytes(), certificate.read_bytes(), key.read_bytes())
    atomic.write(path, text, mode=0o600)
    return path


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
