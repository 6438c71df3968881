"""What the tests do to a real API server: be somebody, grant rights, wait until something holds, note refusals."""

import json
import time
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from kubernetes import client
from tests.api import objects

from hemostat.action.contract import Rule
from hemostat.api import GROUP
from hemostat.api.identity import ACT, NAMESPACE, OBSERVE, OBSERVE_USER, PROTECTED_LABEL, RELAY
from hemostat.api.rbac import cluster_role, opt_in
from hemostat.errors import HemostatError
from hemostat.kube import Kube, path_of
from hemostat_chaos.cluster.apiserver import ApiServer

Json = dict[str, Any]
ROOT = Path(__file__).parents[2]
MANAGER = "tests"
PROBE = "probe"
RBAC = "rbac.authorization.k8s.io/v1"


def eventually(check: Callable[[], bool], what: str, deadline: float = 30.0) -> None:
    """Poll until it holds: the API server's informers (RBAC, policies, parameters) lag by milliseconds."""
    end = time.monotonic() + deadline
    while not check():
        assert time.monotonic() < end, f"not within {deadline:.0f} s: {what}"
        time.sleep(0.02)


def refusal(request: Callable[[], object]) -> str:
    """Return why the request was refused, or an empty string when it was accepted."""
    try:
        request()
    except HemostatError as error:
        return str(error)
    return ""


class Cluster:
    """The API server with Hemostat's resources, policies and roles, and everybody who talks to it."""

    def __init__(self, server: ApiServer) -> None:
        self.server = server
        self.admin = Kube.connect(str(server.kubeconfig))
        self.said = ""
        self._count = 0

    def install(self) -> None:
        """Apply what the repository ships, and return when all of it is in force."""
        self.make_namespace(NAMESPACE)
        for account in (OBSERVE, ACT, RELAY):
            self.account(NAMESPACE, account)
        for path in ("crds", *(f"operator/deploy/{name}.yaml" for name in ("rbac", "slack/rbac", "admission"))):
            self.said += self.kubectl("apply", "--server-side", "--filename", str(ROOT / path)).stderr
        self.kubectl("wait", "--for=condition=Established", "--timeout=30s", "crd", "--all")
        for probe in self._probes():
            eventually(probe, f"{probe.__name__} refused by its policy")

    def _probes(self) -> list[Callable[[], bool]]:
        """Return one request per policy that it must refuse; dry runs all, so that a late policy lets nothing in."""
        self.make_namespace(PROBE, {PROTECTED_LABEL: ""})
        self.admin.create(rest("rolebindings", PROBE, RBAC), opt_in(PROBE), MANAGER)
        self.grant("prober", PROBE, [Rule(GROUP, ("runbooks",), ("create",))])
        self.make(objects.deployment("payment", PROBE))
        incident = self.make(objects.named("Incident", objects.MINIMAL["Incident"], "probe", PROBE))
        proposed = self.make(objects.moved(objects.remediation("probe", OBSERVE_USER), PROBE), self.observe)
        at = objects.KINDS["Incident"].path(PROBE, incident["metadata"]["name"], "status")
        forged = [{"op": "add", "path": "/status", "value": {"conditions": [objects.condition("Resolved")]}}]
        scaled = [{"op": "replace", "path": "/spec/replicas", "value": 3}]

        def approval() -> bool:
            body = objects.moved(objects.approval("none", objects.HASH_A, "nobody"), PROBE)
            return "hemostat-approvals" in self.dry_run(body)

        def remediation() -> bool:
            return "hemostat-remediations" in self.dry_run(objects.moved(objects.remediation("one", "nobody"), PROBE))

        def runbook() -> bool:
            body = objects.named("Runbook", {**objects.MINIMAL["Runbook"], "state": "Active"}, "one", PROBE)
            return "hemostat-runbooks" in self.dry_run(body, "prober")

        def incident_status() -> bool:
            return "hemostat-incident-status" in refusal(
                lambda: self.observe.json_patch(at, forged, MANAGER, dry_run=True)
            )

        def remediation_status() -> bool:
            made = objects.KINDS["Remediation"].path(PROBE, proposed["metadata"]["name"], "status")
            return "hemostat-remediation-status" in refusal(
                lambda: self.admin.json_patch(made, forged, MANAGER, dry_run=True)
            )

        def protected() -> bool:
            path = path_of("apps/v1", "Deployment", PROBE, "payment")
            return "hemostat-protected" in refusal(lambda: self.act.json_patch(path, scaled, MANAGER, dry_run=True))

        return [approval, remediation, runbook, incident_status, remediation_status, protected]

    @property
    def observe(self) -> Kube:
        """The process that reads."""
        return self.service_account(NAMESPACE, OBSERVE)

    @property
    def act(self) -> Kube:
        """The process that touches."""
        return self.service_account(NAMESPACE, ACT)

    @property
    def relay(self) -> Kube:
        """The process that passes on people's words."""
        return self.service_account(NAMESPACE, RELAY)

    @cache  # noqa: B019 - lives as long as the test session
    def user(self, name: str, groups: tuple[str, ...] = ()) -> Kube:
        """Be a person, by client certificate."""
        return Kube.connect(str(self.server.user_kubeconfig(name, groups)))

    @cache  # noqa: B019 - lives as long as the test session
    def service_account(self, namespace: str, name: str) -> Kube:
        """Be a service account."""
        return Kube(self.token_client(namespace, name))

    def token_client(self, namespace: str, name: str) -> client.ApiClient:
        """Return a connection with a service account's token, signed by the API server."""
        token = self.kubectl("create", "token", name, f"--namespace={namespace}").stdout.strip()
        configuration = client.Configuration(host=self.server.url)
        configuration.ssl_ca_cert = str(self.server.directory / "pki" / "ca.crt")
        configuration.api_key["authorization"] = f"Bearer {token}"
        return client.ApiClient(configuration)

    def kubectl(self, *args: str, **options: Any) -> Any:
        """Run kubectl, as the administrator unless told otherwise."""
        return self.server.kubectl(*args, **options)

    def dry_run(self, body: Json, user: str | None = None, args: Sequence[str] = ()) -> str:
        """Return what the API server says against creating this object, or an empty string."""
        done = self.kubectl(
            "create", "--dry-run=server", "--filename=-", *args, input=json.dumps(body), as_user=user, check=False
        )
        return "" if done.returncode == 0 else str(done.stderr)

    def make(self, body: Json, kube: Kube | None = None) -> Json:
        """Create an object."""
        plural = body["kind"].lower() + "s"
        if body["kind"] in objects.KINDS:
            plural = objects.KINDS[body["kind"]].plural
        path = rest(plural, body["metadata"].get("namespace"), body["apiVersion"])
        return (kube or self.admin).create(path, body, MANAGER)

    def new_name(self) -> str:
        """Return a name not used before."""
        self._count += 1
        return f"made-{self._count}"

    def make_namespace(self, name: str = "", labels: dict[str, str] | None = None) -> str:
        """Create a namespace, of a name not used before unless it is given."""
        name = name or self.new_name()
        metadata = {"name": name, "labels": labels or {}}
        self.make({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
        return name

    def account(self, namespace: str, name: str) -> str:
        """Create a service account and return its user name."""
        metadata = {"name": name, "namespace": namespace}
        self.make({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata})
        return f"system:serviceaccount:{namespace}:{name}"

    def grant(
        self,
        who: str,
        namespace: str,
        rules: Iterable[Rule] = (),
        *,
        kind: str = "User",
        names: Sequence[str] = (),
        role: str = "",
    ) -> None:
        """Bind a role to a user or group in a namespace: a new one of these rules, or an existing ClusterRole."""
        binding = self.new_name()
        if not role:
            own = cluster_role(binding, rules)
            for rule in own["rules"]:
                rule |= {"resourceNames": list(names)} if names else {}
            self.make(own)
        ref = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role or binding}
        subject = {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": who}
        metadata = {"name": binding, "namespace": namespace}
        self.make(
            {"apiVersion": RBAC, "kind": "RoleBinding", "metadata": metadata, "roleRef": ref, "subjects": [subject]}
        )

    def set_status(self, body: Json, status: Json, kube: Kube | None = None) -> Json:
        """Replace an object's status, as the only one who may, or else as the administrator."""
        resource = objects.KINDS[body["kind"]]
        path = resource.path(body["metadata"].get("namespace"), body["metadata"]["name"], "status")
        writer = self.act if resource.kind == "Remediation" else self.admin
        return (kube or writer).replace(path, {**body, "status": status}, MANAGER)

    def planned(
        self, namespace: str, name: str, plan_hash: str | None, by: Kube | None = None, requested_by: str = OBSERVE_USER
    ) -> Json:
        """Create a Remediation with that plan hash, and return when the admission policy knows of it."""
        body = objects.moved(objects.remediation(name, requested_by), namespace)
        made = self.make(body, by or self.observe)
        if plan_hash is not None:
            made = self.set_status(made, {"plan": objects.PLAN, "planHash": plan_hash}, self.act)
        wrong = objects.moved(objects.approval(name, "sha256:" + "0" * 64, "admin"), namespace)
        right = objects.moved(objects.approval(name, plan_hash or objects.HASH_A, "admin"), namespace)
        eventually(lambda: "spec.planHash must be" in self.dry_run(wrong), f"{name} known to the policy")
        if plan_hash is not None and requested_by != "admin":
            eventually(lambda: self.dry_run(right) == "", f"{name}'s plan known to the policy")
        return made


def rest(plural: str, namespace: str | None, api_version: str = "v1", name: str = "") -> str:
    """Return the URL path of a collection, or of one of its objects."""
    prefix = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
    inside = f"/namespaces/{namespace}" if namespace else ""
    return f"{prefix}{inside}/{plural}" + (f"/{name}" if name else "")


def can(kube: Kube, verb: str, resource: str, namespace: str = "", group: str = "", name: str = "") -> bool:
    """Ask the API server whether this identity may do it (SelfSubjectAccessReview)."""
    plain, _, sub = resource.partition("/")
    attributes = {
        "verb": verb,
        "resource": plain,
        "subresource": sub,
        "namespace": namespace,
        "group": group,
        "name": name,
    }
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes},
    }
    answer = kube.create("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", review, MANAGER)
    return bool(answer["status"]["allowed"])
