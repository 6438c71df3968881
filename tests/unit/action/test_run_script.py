"""What `run-script` lets a Runbook's script have, and that it runs nothing else."""

import pytest
from tests.unit.builders import NAMESPACE, T0, TARGET, deployment, parameter

from hemostat.action.contract import World, make_plan, parse
from hemostat.action.effects import body_of
from hemostat.action.registry import discover
from hemostat.action.undoing import stays
from hemostat.errors import Refused

ACTION = discover()["run-script"]
IMAGE = "example/tools@sha256:" + "a" * 64
SCRIPT = "find /data -name '*.tmp' -mtime +7 -delete\necho \"${PWD}\" {done}"


def made(**given):
    parameters = [parameter(k, v) for k, v in ({"script": SCRIPT, "image": IMAGE} | given).items()]
    seen = World(target=deployment(), proposed=T0, remediation="uid-r", name="payment-1-run", namespace=NAMESPACE)
    return make_plan(ACTION, TARGET, parse(ACTION, parameters), seen)


def bodies(found):
    return [body_of(e, NAMESPACE) for e in found.effects]


def test_its_network_is_shut_before_it_runs_and_a_person_decides():
    found = made()
    policy, job = bodies(found)
    assert (policy["kind"], job["kind"]) == ("NetworkPolicy", "Job")
    labels = policy["spec"]["podSelector"]["matchLabels"]
    assert labels
    assert labels == job["spec"]["template"]["metadata"]["labels"]
    assert policy["spec"]["policyTypes"] == ["Ingress", "Egress"]
    assert not {"ingress", "egress"} & policy["spec"].keys(), "what is not allowed is denied"
    assert stays(found) == "nothing undoes 2 of its steps"


def test_the_script_is_the_runbooks_word_for_word_and_in_what_people_approve():
    found = made()
    command = bodies(found)[1]["spec"]["template"]["spec"]["containers"][0]["command"]
    assert command[:2] == ["sh", "-c"]
    assert SCRIPT in command[2]
    assert all(line in found.diff for line in SCRIPT.splitlines())


def test_it_may_do_no_more_than_it_must():
    job = bodies(made(timeoutSeconds="30", cpuMillis="500", memoryMib="128"))[1]["spec"]
    pod = job["template"]["spec"]
    (container,) = pod["containers"]
    assert (job["activeDeadlineSeconds"], job["backoffLimit"]) == (30, 0)
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["resources"]["limits"] == {"cpu": "500m", "memory": "128Mi", "ephemeral-storage": "128Mi"}
    assert [v["name"] for v in pod["volumes"]] == ["tmp"]
    assert "runtimeClassName" not in pod


def test_a_claim_and_a_runtime_class_are_what_the_runbook_names():
    pod = bodies(made(claim="data-0", runtimeClass="gvisor"))[1]["spec"]["template"]["spec"]
    assert pod["runtimeClassName"] == "gvisor"
    assert {"name": "data", "persistentVolumeClaim": {"claimName": "data-0"}} in pod["volumes"]
    assert {"name": "data", "mountPath": "/data"} in pod["containers"][0]["volumeMounts"]


@pytest.mark.parametrize(
    "given",
    [
        {"script": " "},
        {"image": ""},
        {"image": "example/tools:latest"},
        {"user": "0"},
        {"timeoutSeconds": "0"},
        {"timeoutSeconds": "3601"},
        {"memoryMib": "8192"},
        {"claim": "../x"},
        {"hostNetwork": "true"},
    ],
)
def test_what_the_sandbox_does_not_have_cannot_be_asked_for(given):
    with pytest.raises(Refused) as caught:
        made(**given)
    assert caught.value.reason == "BadParameters"
