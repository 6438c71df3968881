"""The bare API server, for real. Building its programs takes minutes the first time, none later."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hemostat_chaos.cluster import processes
from hemostat_chaos.cluster.apiserver import ApiServer
from hemostat_chaos.cluster.errors import ClusterError

pytestmark = pytest.mark.timeout(1200)
AUDIT = {"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": [{"level": "Metadata"}]}
POLICY = """
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: no-red}
spec:
  matchConstraints:
    resourceRules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [configmaps]}]
  validations: [{expression: "!has(object.data) || !('colour' in object.data) || object.data.colour != 'red'"}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: no-red}
spec: {policyName: no-red, validationActions: [Deny]}
"""


@pytest.fixture(scope="module")
def api() -> Iterator[ApiServer]:
    with ApiServer(audit_policy=AUDIT) as server:
        yield server


def test_the_administrator_may_do_everything(api: ApiServer) -> None:
    api.kubectl("create", "namespace", "one")
    assert "one" in api.kubectl("get", "namespaces", "--output=name").stdout


def test_a_user_may_do_only_what_rbac_grants(api: ApiServer) -> None:
    assert api.kubectl("get", "configmaps", as_user="alice", check=False).returncode != 0
    api.kubectl("create", "clusterrole", "viewer", "--verb=get,list", "--resource=configmaps")
    api.kubectl("create", "clusterrolebinding", "viewers", "--clusterrole=viewer", "--group=viewers")
    api.kubectl("get", "configmaps", as_user="alice", groups=["viewers"])
    assert api.kubectl("get", "secrets", as_user="alice", groups=["viewers"], check=False).returncode != 0


def test_the_api_server_sees_the_user_and_the_groups(api: ApiServer) -> None:
    said = json.loads(
        api.kubectl(
            "auth",
            "whoami",
            "--output=json",
            as_user="bob",
            groups=["a", "b/c"],
        ).stdout
    )["status"]["userInfo"]
    assert said["username"] == "bob"
    assert {"a", "b/c"} <= set(said["groups"])


def test_admission_policies_are_enforced(api: ApiServer) -> None:
    api.kubectl("apply", "--filename=-", input=POLICY)
    end = time.monotonic() + 20
    while True:  # a new policy takes effect within a second or so
        name = f"red-{time.monotonic_ns()}"
        result = api.kubectl("create", "configmap", name, "--from-literal=colour=red", check=False)
        if result.returncode != 0 or time.monotonic() > end:
            break
        time.sleep(0.2)
    assert "no-red" in result.stderr
    api.kubectl("create", "configmap", "blue", "--from-literal=colour=blue")


def test_requests_are_in_the_audit_log(api: ApiServer) -> None:
    api.kubectl("get", "configmaps", as_user="carol", check=False)
    assert "carol" in {event["user"]["username"] for event in api.audit_events()}


def test_data_survive_a_restart(api: ApiServer) -> None:
    api.kubectl("create", "namespace", "kept")
    api.restart()
    api.kubectl("get", "namespace", "kept")


def test_a_failed_command_is_an_error_that_says_why(api: ApiServer) -> None:
    with pytest.raises(ClusterError, match="not found"):
        api.kubectl("get", "namespace", "nobody")


def test_controllers_run_on_demand() -> None:
    with ApiServer(controllers=True) as server:
        server.kubectl("create", "deployment", "web", "--image=x", "--replicas=2")
        end = time.monotonic() + 30
        while time.monotonic() < end:
            pods = server.kubectl("get", "pods", "--output=name").stdout.split()
            if len(pods) == 2:
                return
            time.sleep(0.2)
        raise AssertionError(pods)


def test_nothing_is_left_when_the_process_that_started_it_is_killed(tmp_path: Path) -> None:
    script = (
        "import sys, time\n"
        "from hemostat_chaos.cluster.apiserver import ApiServer\n"
        "server = ApiServer()\n"
        "server.start()\n"
        "print(*[p.pid for p in server._processes.values()], flush=True)\n"
        "time.sleep(600)\n"
    )
    root = Path(processes.__file__).parents[2]
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(root)}
    ) as child:
        assert child.stdout is not None
        found = [processes.identify(int(word)) for word in child.stdout.readline().split()]
        started = [identity for identity in found if identity is not None]
        assert len(started) == 2
        child.send_signal(signal.SIGKILL)
    end = time.monotonic() + 10
    while any(processes.alive(identity) for identity in started) and time.monotonic() < end:
        time.sleep(0.1)
    assert not any(processes.alive(identity) for identity in started)
