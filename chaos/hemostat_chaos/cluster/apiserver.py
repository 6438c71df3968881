"""A bare Kubernetes API server for tests: etcd and kube-apiserver as two plain processes.

There are no nodes and nothing runs, but everything that the API itself does is
real: validation, defaulting, RBAC, server-side apply, dry-run, watches, admission
policies, the eviction and scale subresources, audit logging.
"""

from __future__ import annotations

import json
import shutil
import socket
import ssl
import subprocess
import tempfile
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from hemostat_chaos.cluster import kubeconfig, pki, processes, run, spawn
from hemostat_chaos.cluster.binaries import binaries
from hemostat_chaos.cluster.constants import COMMAND_DEADLINE
from hemostat_chaos.cluster.errors import ClusterError
from hemostat_chaos.cluster.progress import Progress

READY_DEADLINE = 90.0
SERVICE_RANGE = "10.96.0.0/24"
_SERVICE_IP = "10.96.0.1"
_HOST = "127.0.0.1"
_STOP_GRACE = 2.0
_PREFIX = "hemostat-api-"


def free_ports(count: int) -> list[int]:
    """Return loopback ports that nothing listens on; all are picked before any is given up."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for item in sockets:
            item.bind((_HOST, 0))
        return [int(item.getsockname()[1]) for item in sockets]
    finally:
        for item in sockets:
            item.close()


def _sweep() -> None:
    """Remove the folders of processes that were killed before they could do it themselves."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        owner = processes.parse_identity(folder.name.removeprefix(_PREFIX).split("-", 1)[0])
        if owner is not None and not processes.alive(owner):
            shutil.rmtree(folder, ignore_errors=True)


PROGRAMS = ("kube-apiserver", "etcd", "kubectl")
CONTROLLERS = ("kube-controller-manager",)


class ApiServer:
    """Starts on entry, is ready when entry returns, and leaves nothing behind on exit.

    ``controllers`` also runs kube-controller-manager (garbage collection, namespaces,
    deployments, service accounts, the aggregated roles view, edit and admin).
    ``audit_policy`` is an audit policy as text or as a mapping; :meth:`audit_events`
    then reads what was logged. ``durable``: etcd waits for the disk, as it does in earnest.
    """

    def __init__(
        self,
        *,
        controllers: bool = False,
        audit_policy: str | Mapping[str, Any] | None = None,
        extra_args: Sequence[str] = (),
        progress: Progress | None = None,
        durable: bool = False,
    ) -> None:
        self._controllers = controllers
        self._durable = durable
        self._audit_policy = audit_policy
        self._extra_args = list(extra_args)
        self._progress = progress
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._users: dict[str, Path] = {}

    def __enter__(self) -> ApiServer:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start everything and wait until the API server says that it is ready."""
        names = [*PROGRAMS]
        if self._controllers:
            names += CONTROLLERS
        self._bin = binaries(names, self._progress)
        _sweep()
        self.directory = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{processes.own_identity()}-"))
        try:
            self._prepare()
            self._start_etcd()
            self._start_apiserver()
            if self._controllers:
                self._start_controllers()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop everything and remove the temporary folder."""
        for name in ("kube-controller-manager", "kube-apiserver", "etcd"):
            self._end(name)
        shutil.rmtree(self.directory, ignore_errors=True)

    def restart(self) -> None:
        """Stop the API server alone and start it again on the same port with the same data."""
        self._end("kube-apiserver")
        self._start_apiserver()

    def halt(self) -> None:
        """Stop the API server alone, as an outage would; :meth:`resume` ends it."""
        self._end("kube-apiserver")

    def resume(self) -> None:
        """Start the API server after :meth:`halt`."""
        self._start_apiserver()

    def user_kubeconfig(self, name: str, groups: Sequence[str] = ()) -> Path:
        """Return a kubeconfig for a user of that name, who has no rights but those of RBAC."""
        key = json.dumps([name, *groups])
        if key not in self._users:
            stem = f"user-{len(self._users)}"
            certificate, secret = self._authority.sign(stem, pki.subject(name, groups))
            self._users[key] = kubeconfig.write(
                self.directory / f"{stem}.kubeconfig",
                name,
                self.url,
                self._authority.certificate,
                certificate,
                secret,
            )
        return self._users[key]

    def kubectl(
        self,
        *args: str,
        input: str | None = None,  # noqa: A002  the name that subprocess.run gives it
        as_user: str | None = None,
        groups: Sequence[str] = (),
        check: bool = True,
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl as the administrator, or as a user with that client certificate."""
        config = self.kubeconfig if as_user is None else self.user_kubeconfig(as_user, groups)
        data = None if input is None else input.encode()
        result = run.attempt(
            [self._bin / "kubectl", "--kubeconfig", config, *args], data=data, deadline=COMMAND_DEADLINE
        )
        if check and result.returncode != 0:
            raise ClusterError(f"kubectl {' '.join(args)}: {result.stderr.strip()}")
        return result

    def audit_events(self) -> list[dict[str, Any]]:
        """Return the audit events logged so far."""
        try:
            lines = self._audit_log.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return []
        return [json.loads(line) for line in lines if line.endswith("}")]

    def log(self, name: str = "kube-apiserver") -> str:
        """Return what one of the processes has written."""
        return (self.directory / f"{name}.log").read_text(encoding="utf-8", errors="replace")

    def _prepare(self) -> None:
        self._etcd_port, self._peer_port, self.port = free_ports(3)
        self.url = f"https://{_HOST}:{self.port}"
        self._audit_log = self.directory / "audit.log"
        self._authority = pki.Authority(self.directory / "pki")
        hosts = [
            f"DNS:{name}"
            for name in (
                "localhost",
                "kubernetes",
                "kubernetes.default",
                "kubernetes.default.svc",
                "kubernetes.default.svc.cluster.local",
            )
        ]
        hosts += [f"IP:{_HOST}", f"IP:{_SERVICE_IP}"]
        self._serving = self._authority.sign("apiserver", "/CN=kube-apiserver", hosts=hosts)
        self._token_key, self._token_public = self._authority.signing_key("service-account")
        self._admin = self._authority.sign("admin", pki.subject("admin", ["system:masters"]))
        self.kubeconfig = kubeconfig.write(
            self.directory / "kubeconfig",
            "admin",
            self.url,
            self._authority.certificate,
            *self._admin,
        )
        if self._audit_policy is not None:
            policy = self._audit_policy
            text = policy if isinstance(policy, str) else json.dumps(policy)
            (self.directory / "audit-policy.yaml").write_text(text, encoding="utf-8")

    def _start_etcd(self) -> None:
        client, peer = f"http://{_HOST}:{self._etcd_port}", f"http://{_HOST}:{self._peer_port}"
        self._spawn(
            "etcd",
            [
                *(() if self._durable else ("--unsafe-no-fsync",)),
                "--log-level=warn",
                f"--data-dir={self.directory / 'etcd'}",
                f"--listen-client-urls={client}",
                f"--advertise-client-urls={client}",
                f"--listen-peer-urls={peer}",
                f"--initial-advertise-peer-urls={peer}",
                f"--initial-cluster=default={peer}",
            ],
        )

    def _start_apiserver(self) -> None:
        certificate, key = self._serving
        options = [
            f"--etcd-servers=http://{_HOST}:{self._etcd_port}",
            f"--bind-address={_HOST}",
            f"--secure-port={self.port}",
            f"--advertise-address={_HOST}",
            "--endpoint-reconciler-type=none",
            f"--service-cluster-ip-range={SERVICE_RANGE}",
            "--authorization-mode=RBAC",
            "--allow-privileged=true",
            f"--client-ca-file={self._authority.certificate}",
            f"--tls-cert-file={certificate}",
            f"--tls-private-key-file={key}",
            "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
            f"--service-account-key-file={self._token_public}",
            f"--service-account-signing-key-file={self._token_key}",
        ]
        if not self._controllers:
            # Nothing would make the default service accounts, so pods must do without them.
            options.append("--disable-admission-plugins=ServiceAccount")
        if self._audit_policy is not None:
            options += [
                f"--audit-policy-file={self.directory / 'audit-policy.yaml'}",
                f"--audit-log-path={self._audit_log}",
            ]
        self._spawn("kube-apiserver", [*options, *self._extra_args])
        run.wait_for(
            "API server ready", self._ready, deadline=READY_DEADLINE, log=self.directory / "kube-apiserver.log"
        )

    def _start_controllers(self) -> None:
        (port,) = free_ports(1)
        self._spawn(
            "kube-controller-manager",
            [
                f"--kubeconfig={self.kubeconfig}",
                f"--bind-address={_HOST}",
                f"--secure-port={port}",
                "--leader-elect=false",
                f"--root-ca-file={self._authority.certificate}",
                f"--service-account-private-key-file={self._token_key}",
                "--use-service-account-credentials=true",
                f"--authentication-kubeconfig={self.kubeconfig}",
                f"--authorization-kubeconfig={self.kubeconfig}",
                f"--cert-dir={self.directory / 'controller-manager'}",
            ],
        )

        def settled() -> bool:
            account = self.kubectl("get", "serviceaccount", "default", "--namespace=default", check=False)
            return account.returncode == 0

        run.wait_for(
            "the default service account",
            settled,
            deadline=READY_DEADLINE,
            log=self.directory / "kube-controller-manager.log",
        )

    def _ready(self) -> bool:
        process = self._processes["kube-apiserver"]
        if process.poll() is not None:
            # The folder of the log is about to go, so its end is put into the message.
            raise ClusterError(
                f"kube-apiserver ended with status {process.returncode}: {self.log()[-2000:]}",
            )
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=2, context=self._tls()) as answer:  # noqa: S310
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def _tls(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(self._authority.certificate))
        context.load_cert_chain(*map(str, self._admin))
        return context

    def _spawn(self, name: str, options: Sequence[str]) -> None:
        log = self.directory / f"{name}.log"
        self._processes[name] = spawn.background([self._bin / name, *options], log)

    def _end(self, name: str) -> None:
        process = self._processes.pop(name, None)
        if process is not None:
            spawn.end(process, grace=_STOP_GRACE)
