"""What is cut now, and taking it back: by whom it is read, what is told, and that nobody else's order is touched."""

import json
from datetime import UTC, datetime

import pytest
from tests.unit.act.double import patched
from tests.unit.cli.test_commands import call

from hemostat.cli.session import Session
from hemostat.clock import FakeClock
from hemostat.errors import Refused
from hemostat.guard.orders import CONFIG_MAP, Cap, Cut, Halt, render
from hemostat.kube import Conflict, NotFound

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
        self.deleted = []
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

    def json_patch(self, path, ops, manager):
        assert path == f"/api/v1/namespaces/shop/configmaps/{CONFIG_MAP}"
        if "patch" in self.refuse:
            raise Refused("Forbidden", f"PATCH {path}: forbidden")
        self.config_map["data"] = patched(self.config_map, ops)["data"]

    def delete(self, path, uid):
        self.deleted.append((path, uid))


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


def test_one_order_is_taken_back_and_nobody_else_s(kube):
    done = call("restore", CUT, "--yes")
    assert done.exit_code == 0
    assert "taken back" in done.stdout
    assert set(kube.config_map["data"]) == {"by-hand", "over", "broken"}
    assert kube.deleted == []


def test_all_is_all_and_a_policy_is_deleted_by_its_uid(kube):
    assert call("restore", "--all", "-y").exit_code == 0
    assert set(kube.config_map["data"]) == {"over"}
    assert kube.deleted == [(f"/apis/security.istio.io/v1/namespaces/shop/authorizationpolicies/{POLICY}", "uid-p")]


def test_it_asks_first(kube):
    done = call("restore", CUT, stdin="n\n")
    assert done.exit_code == 1
    assert "planner -> critic" in done.stdout
    assert CUT in kube.config_map["data"]
    assert call("restore", CUT, stdin="y\n").exit_code == 0


def test_an_order_that_changed_since_it_was_shown_is_not_taken_back(kube):
    shown = kube.list

    def changed(path, **query):
        found = json.loads(json.dumps(shown(path, **query)))
        if path.endswith("/configmaps"):
            kube.config_map["data"][CUT] = "another"
        return found

    kube.list = changed
    assert "was gone already" in call("restore", CUT, "--yes").stdout
    assert kube.config_map["data"][CUT] == "another"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(("nope",), f"there are: {CUT}"), ((), "or --all"), ((CUT, "--all"), "or --all")],
)
def test_what_cannot_be_meant_says_what_could(kube, arguments, said):
    done = call("restore", *arguments, "--yes")
    assert isinstance(done.exception, Refused)
    assert said in str(done.exception)


def test_a_missing_right_is_named(kube):
    kube.refuse = {"patch": True}
    done = call("restore", CUT, "-y")
    assert "you may not patch configmap hemostat-guard" in done.stdout.replace("\n", " ")
    assert done.exit_code == 1


def test_what_may_not_be_taken_back_keeps_nothing_else(kube):
    kube.refuse = {"patch": True}
    done = call("restore", "--all", "-y")
    assert "NOT taken back" in done.stdout
    assert ": taken back" in done.stdout
    assert done.exit_code == 1


def test_nothing_to_restore_is_no_error(kube):
    kube.collections = {}
    done = call("restore", "--all")
    assert (done.exit_code, done.stdout) == (0, "")
    assert "Nothing is cut" in done.stderr
    assert "Nothing is cut" in call("cuts", "-A").stderr


def test_conflicts_and_what_is_gone_are_no_errors(kube):
    def gone(*_):
        raise Conflict("gone")

    kube.delete = gone
    assert "was gone already" in call("restore", POLICY, "-y").stdout


def test_what_stands_in_another_service_is_listed_and_it_is_said_how_it_ends_there(kube):
    """The person's own rights are rights in the cluster: they end nothing in LiteLLM."""
    key = {"protocol": "LiteLLM", "url": "http://litellm.shop.svc:4001/proxy", "id": "ab" * 32}
    found = kube.collections["remediations"][0]
    forward = {"verb": "Call", "apiVersion": "v1", "kind": "Service", "name": "litellm", "call": key}
    ops = [{"op": "replace", "path": "/blockedBy", "value": '"u"'}]
    found["status"]["plan"] |= {"forward": forward | {"ops": ops}}
    listed = rows(call("cuts").stdout)["talks-1-cut"]
    assert "LiteLLM" in listed
    assert "30s" in listed
    done = call("restore", "talks-1-cut", "--yes")
    assert done.exit_code == 1
    assert "NOT taken back" in done.stdout
    forward, key_of, update = done.stdout.splitlines()[-4:-1]
    assert forward == "  kubectl port-forward -n shop service/litellm 4000:4001 &"
    assert "kubectl get secret hemostat-litellm -n shop" in key_of
    assert '{{index .data "admin-key"}}' in key_of
    assert "localhost:4000/proxy/key/update" in update, "the one route that a key as the README makes it may use"
    assert json.dumps({"key": "ab" * 32, "blocked": False}) in update
    found["status"]["conditions"] = [
        *(c for c in found["status"]["conditions"] if c["type"] != "Undone"),
        {"type": "Undone", "status": "True", "reason": "Restored", "lastTransitionTime": "2026-11-21T06:00:50Z"},
    ]
    assert "talks-1-cut" not in rows(call("cuts").stdout)
