"""What is cut now: by whom it is read, what is told, and how it is taken back where no Remediation is there for it."""

import json
from datetime import UTC, datetime

import pytest
from tests.unit.cli.test_commands import call

from hemostat.cli.session import Session
from hemostat.clock import FakeClock
from hemostat.errors import Refused
from hemostat.guard.orders import CONFIG_MAP, Cap, Cut, Halt, render
from hemostat.kube import NotFound

NOW = datetime(2026, 11, 21, 6, 1, tzinfo=UTC)
UID = "0a1b2c3d-0000-4000-8000-000000000001"
POLICY = f"hemostat-{UID}"
CUT = f"{UID}-0"


def order(kind, name, seconds=3600.0, **more):
    return render(kind(id=name, until=NOW.timestamp() + seconds, reason="ping-pong", **more))


def policy(**metadata):
    labels = {"hemostat.dev/remediation": UID}
    named = {"name": POLICY, "namespace": "shop", "uid": "uid-p", "labels": labels}
    held = {"annotations": {"hemostat.dev/hold-seconds": "120"}, "creationTimestamp": "2026-11-21T06:00:00Z"}
    return {
        "apiVersion": "security.istio.io/v1",
        "kind": "AuthorizationPolicy",
        "metadata": named | held | metadata,
        "spec": {"action": "DENY"},
    }


class FakeKube:
    """The collections that are listed, by path; what is written changes them."""

    def __init__(self, remediation):
        self.refuse = {}
        data = {
            CUT: order(Cut, CUT, caller="planner", callee="critic", conversation="c7"),
            "by-hand": order(Halt, "by-hand", 30, conversation="c9"),
            "over": order(Cap, "over", -1, conversation="c8", turns=5),
            "broken": "{",
        }
        self.config_map = {"metadata": {"name": CONFIG_MAP, "namespace": "shop"}, "data": data}
        self.collections = {
            "remediations": [remediation],
            "configmaps": [self.config_map],
            "authorizationpolicies": [policy()],
        }

    def list(self, path, **query):
        plural = path.rsplit("/", 1)[1]
        if plural in self.refuse:
            raise Refused("Forbidden", f"GET {path}: forbidden")
        if plural not in self.collections:
            raise NotFound(path)
        assert query or plural == "remediations", "everybody's objects are asked for"
        return self.collections[plural]


@pytest.fixture
def kube(raw, monkeypatch):
    found = raw["Remediation"]
    found["metadata"] |= {"name": "talks-1-cut", "uid": UID}
    found["status"]["plan"] |= {"holdSeconds": 90}
    found["status"]["results"] = [
        {
            "effect": "Forward",
            "time": "2026-11-21T06:00:00Z",
            "resourceVersion": "7",
            "generation": 1,
            "proof": "Content",
        }
    ]
    fake = FakeKube(json.loads(json.dumps(found, default=lambda t: t.isoformat())))
    monkeypatch.setattr(Session, "open", classmethod(lambda cls, scope: cls(fake, scope.namespace or "shop")))
    monkeypatch.setattr("hemostat.clock.SystemClock", lambda: FakeClock(NOW))
    return fake


def rows(text):
    return {line.split()[0]: line for line in text.splitlines()[1:]}


def test_orders_and_policies_are_listed_with_the_time_left_and_whose_they_are(kube):
    found = rows(call("cuts").stdout)
    assert set(found) == {CUT, "by-hand", "broken", POLICY}, "what ended by itself is not cut any more"
    assert "planner -> critic Open in conversation c7: ping-pong" in found[CUT]
    assert "30s" in found[CUT], "act takes it back before the order would end by itself"
    assert "talks-1-cut" in found[CUT]
    assert "conversation c9 halted" in found["by-hand"]
    assert "Unreadable" in found["broken"]
    assert "60s" in found[POLICY]
    assert "talks-1-cut" in found[POLICY]


def test_an_order_that_guards_have_ended_by_now_is_not_told_as_cut_for_longer(kube):
    """`act` is down: the key is still there, and no guard obeys it any more."""
    kube.config_map["data"] = {
        CUT: order(Cut, CUT, caller="planner", callee="critic", hold_seconds=90),
        "by-hand": order(Halt, "by-hand", conversation="c9", hold_seconds=60),
    }
    kube.collections["remediations"][0]["status"]["results"][0]["time"] = "2026-11-21T05:00:00Z"
    found = rows(call("cuts").stdout)
    assert " ended " in found[CUT]
    assert "Open for 90 s" in found[CUT]
    assert " ? " in found["by-hand"], "since when each guard has held it only that guard knows"
    assert "halted for 60 s" in found["by-hand"]


def test_what_should_have_been_taken_back_is_told_as_overdue(kube):
    kube.collections["authorizationpolicies"] = [policy(creationTimestamp="2026-11-21T05:00:00Z")]
    assert "overdue 3540s" in rows(call("cuts").stdout)[POLICY]


def test_as_data(kube):
    (first, *_) = json.loads(call("cuts", "-o", "json").stdout)["items"]
    assert {"id", "namespace", "kind", "what"} <= set(first)
    assert "endTime" in call("cuts", "-A", "-o", "yaml").stdout


def test_what_may_not_be_read_is_said_and_the_rest_is_shown(kube):
    kube.refuse = {"remediations": True, "authorizationpolicies": True}
    done = call("cuts")
    assert "not shown, for you may not list them: AuthorizationPolicy" in done.stderr
    assert CUT in rows(done.stdout)


def test_what_no_remediation_is_there_for_is_taken_back_by_hand(kube):
    kube.config_map["data"] = {CUT: kube.config_map["data"][CUT], "my-own": order(Halt, "my-own", conversation="c9")}
    kube.collections["authorizationpolicies"] = [policy(labels={"hemostat.dev/remediation": "uid-gone"})]
    first, second = call("cuts").stderr.splitlines()
    by_hand = json.dumps([{"op": "remove", "path": "/data/my-own"}])
    assert first.endswith(f"kubectl patch configmap {CONFIG_MAP} -n shop --type=json -p '{by_hand}'")
    assert second.endswith(f"kubectl delete -n shop authorizationpolicy {POLICY}")


def test_what_stands_in_another_service_is_listed_until_it_was_undone(kube):
    key = {"protocol": "LiteLLM", "url": "http://litellm.shop.svc:4001/proxy", "id": "ab" * 32}
    found = kube.collections["remediations"][0]
    forward = {"verb": "Call", "apiVersion": "v1", "kind": "Service", "name": "litellm", "call": key}
    ops = [{"op": "replace", "path": "/blockedBy", "value": '"u"'}]
    found["status"]["plan"] |= {"steps": [{"forward": forward | {"ops": ops}}]}
    listed = rows(call("cuts").stdout)["talks-1-cut"]
    assert "LiteLLM" in listed
    assert "30s" in listed
    found["status"]["conditions"] = [
        *(c for c in found["status"]["conditions"] if c["type"] != "Undone"),
        {"type": "Undone", "status": "True", "reason": "Restored", "lastTransitionTime": "2026-11-21T06:00:50Z"},
    ]
    assert "talks-1-cut" not in rows(call("cuts").stdout)
