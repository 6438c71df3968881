"""A small certificate authority for the bare API server, made with the openssl command."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hemostat_chaos.cluster import run

_DAYS = "3650"


def subject(common_name: str, groups: Sequence[str]) -> str:
    """Render a user name and groups as an X.509 subject: groups are organisations."""
    parts = [*(f"O={escape(group)}" for group in groups), f"CN={escape(common_name)}"]
    return "/" + "/".join(parts)


def escape(value: str) -> str:
    """Escape what separates the parts of a subject on openssl's command line."""
    return value.replace("\\", "\\\\").replace("/", "\\/").replace("+", "\\+")


class Authority:
    """Signs certificates in one folder; elliptic curves, because their keys are quick to make."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.certificate = folder / "ca.crt"
        self._key = folder / "ca.key"
        folder.mkdir(parents=True, exist_ok=True)
        self._request(
            self._key,
            "/CN=hemostat-test-ca",
            "-x509",
            "-days",
            _DAYS,
            "-out",
            str(self.certificate),
            "-addext",
            "keyUsage=critical,keyCertSign,cRLSign",
        )

    def sign(self, name: str, who: str, *, hosts: Sequence[str] = ()) -> tuple[Path, Path]:
        """Make ``name.crt`` and ``name.key``: a server's if it has hosts, else a client's."""
        certificate, key = self.folder / f"{name}.crt", self.folder / f"{name}.key"
        usage = "serverAuth" if hosts else "clientAuth"
        extensions = ["-addext", f"extendedKeyUsage={usage}"]
        if hosts:
            extensions += ["-addext", f"subjectAltName={','.join(hosts)}"]
        self._request(
            key,
            who,
            "-x509",
            "-days",
            _DAYS,
            "-CA",
            str(self.certificate),
            "-CAkey",
            str(self._key),
            "-out",
            str(certificate),
            "-addext",
            "basicConstraints=critical,CA:FALSE",
            *extensions,
        )
        return certificate, key

    def signing_key(self, name: str) -> tuple[Path, Path]:
        """Make a key pair for service account tokens: private and public file."""
        private, public = self.folder / f"{name}.key", self.folder / f"{name}.pub"
        run.output(["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", private])
        run.output(["openssl", "pkey", "-in", private, "-pubout", "-out", public])
        return private, public

    def _request(self, key: Path, who: str, *options: str) -> None:
        run.output(
            [
                "openssl",
                "req",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
                "-nodes",
                "-keyout",
                key,
                "-subj",
                who,
                *options,
            ]
        )
