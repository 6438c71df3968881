"""The commands against a fake API server; what the API server itself refuses is tried in tests/api."""

import json
import subprocess
import sys
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
import yaml
from tests.unit.builders import condition, runbook
from typer.testing import CliRunner

from hemostat.api.incident import Incident
from hemostat.cli import main as entry
from hemostat.cli import stopping
from hemostat.cli.deciding import LOOKS
from hemostat.cli.session import Scope, Session, default_namespace, parse
from hemostat.clock import FakeClock
from hemostat.errors import Broken, Refused
from hemostat.kube import NotFound


class FakeKube:
    """Objects of one namespace, as plain JSON."""

    def __init__(self, objects):
        self.objects = {f"{o['kind'].lower()}s/{o['metadata']['name']}": _wire(o) for o in objects}
        self.created = []
        self.patched = []
        self.refuse = None

    def get(self, path):
        key = "/".join(path.split("/")[-2:])
        if key not in self.objects:
            raise NotFound(f"GET {path}: not found")
        return self.objects[key]

    def server_now(self):
        return datetime(2026, 3, 1, 12, 0, tzinfo=UTC)

    def list(self, path):
        plural = path.rsplit("/", 1)[1]
        return [o for key, o in self.objects.items() if key.startswith(plural + "/")]

    def each(self, path):
        return iter(self.list(path))

    def merge_patch(self, path, body, manager):
        self.patched.append((path.split("/")[-1], body))
        return body

    def json_patch(self, path, ops, manager):
        if self.refuse:
            raise (
                self.refuse
                if isinstance(self.refuse, Exception)
                else Refused("Forbidden", f"PATCH {path}: {self.refuse}")
            )
        self.patched.append((path.split("/")[-1], ops))
        return {}

    def create(self, path, body, manager):
        if self.refuse:
            raise Refused("Forbidden", f"POST {path}: {self.refuse}")
        self.created.append(body)
        return body

    def user(self):
        return "sre@example.com", ("sre", "system:authenticated")


def _wire(item):
    return json.loads(json.dumps(item, default=lambda t: t.isoformat()))


@pytest.fixture
def kube(raw, monkeypatch):
    fake = FakeKube(raw.values())
    monkeypatch.setattr(Session, "open", classmethod(lambda cls, scope: cls(fake, scope.namespace or "shop")))
    return fake


def call(*arguments, stdin=""):
    return CliRunner().invoke(entry.app, list(arguments), input=stdin)


def test_incidents_as_a_table_and_as_data(kube):
    assert (
        "payment-1a2b3c4d   Critical   Deployment payment   Open: NEEDS APPROVAL   bad-rollout"
        in call("incidents").stdout
    )
    assert json.loads(call("incidents", "-o", "json").stdout)["items"][0]["kind"] == "Incident"
    assert yaml.safe_load(call("incidents", "-A", "-o", "yaml").stdout)["kind"] == "List"


def test_no_incidents_is_said_on_stderr(kube):
    kube.objects.clear()
    kube.objects["namespaces/other"] = {"metadata": {"name": "other"}}
    done = call("incidents", "-n", "other")
    assert (done.exit_code, done.stdout) == (0, "")
    assert "No incidents in namespace other." in done.stderr


@pytest.mark.parametrize("command", [("incidents",), ("undo", "--all"), ("shadow", "report")])
def test_a_namespace_that_there_is_not_is_an_error(kube, command):
    """A slip in its name looked as if all were well there."""
    kube.objects.clear()
    assert "no namespace 'nosuch'" in str(call(*command, "-n", "nosuch").exception)


def test_show_and_explain(kube):
    assert "Timeline (seconds since opening)" in call("show", "payment-1a2b3c4d").stdout
    for command in (["explain"], ["gate", "explain"]):
        assert "Together: NeedsApproval" in call(*command, "payment-1a2b3c4d-rollback-0-1").stdout


def test_explain_names_the_policies_where_they_can_be_read(kube, raw):
    spec = {"selector": {"matchLabels": {"tier": "gold"}}, "decision": "Auto"}
    kube.objects["gatepolicies/gold"] = {"kind": "GatePolicy", "metadata": {"name": "gold"}, "spec": spec}
    assert "gold" not in call("explain", "payment-1a2b3c4d-rollback-0-1").stdout, "the Runbook cannot be read"
    kube.objects["runbooks/bad-rollout"] = {"metadata": {"name": "bad-rollout"}, "spec": runbook().spec.wire()}
    live = {"metadata": {"name": "payment", "labels": {"tier": "silver"}}}
    kube.objects["deployments/payment"] = live
    said = " ".join(call("explain", "payment-1a2b3c4d-rollback-0-1").stdout.split())
    assert "gold Auto no its selector does not match the labels of the target" in said
    live["metadata"]["labels"]["tier"] = "gold"
    assert "gold Auto yes it matches" in " ".join(call("explain", "payment-1a2b3c4d-rollback-0-1").stdout.split())


def test_what_does_not_exist_names_what_does(kube):
    done = call("show", "nope")
    assert isinstance(done.exception, Refused)
    assert "there are: payment-1a2b3c4d" in str(done.exception)


def test_watch_gives_up_with_exit_code_1(kube, monkeypatch):
    clock = FakeClock(datetime(2026, 11, 21, 6, 1, tzinfo=UTC))
    monkeypatch.setattr("hemostat.clock.SystemClock", lambda: clock)
    monkeypatch.setattr("time.sleep", clock.step)
    done = call("watch", "payment-1a2b3c4d", "--timeout-seconds", "1")
    assert done.exit_code == 1
    assert "a person must decide" in done.stdout
    assert "not resolved after 1 s" in done.stderr


def test_watch_of_a_resolved_incident_ends_at_once(kube):
    conditions = kube.objects["incidents/payment-1a2b3c4d"]["status"]["conditions"]
    conditions[-1] |= {"status": "True", "reason": "Healed"}
    done = call("watch", "payment-1a2b3c4d")
    assert done.exit_code == 0
    assert "Resolved: Healed after 2.0 s" in done.stdout


def test_approve_shows_the_plan_before_it_asks(kube):
    done = call("approve", "payment-1a2b3c4d-rollback-0-1", "--reason", "seen", stdin="y\n")
    assert done.exit_code == 0
    assert done.stdout.index("SHOP_FAIL_PERCENT") < done.stdout.index("Approve plan sha256:aaaaaaaaaaaa...")
    (made,) = kube.created
    assert made["spec"] == {
        "remediation": "payment-1a2b3c4d-rollback-0-1",
        "planHash": "sha256:" + "a" * 64,
        "decision": "Approve",
        "approver": "sre@example.com",
        "groups": ["sre"],
        "reason": "seen",
        "via": "Kubectl",
        "validForSeconds": 900,
    }


@pytest.mark.parametrize("stdin", ["n\n", "\n", ""])
def test_without_a_yes_nothing_is_decided(kube, stdin):
    done = call("approve", "payment-1a2b3c4d-rollback-0-1", stdin=stdin)
    assert done.exit_code == 1
    assert "Nothing was decided." in done.stderr
    assert not kube.created


def test_deny(kube):
    assert call("deny", "payment-1a2b3c4d-rollback-0-1", "--yes").exit_code == 0
    assert kube.created[0]["spec"]["decision"] == "Deny"


@pytest.mark.parametrize(
    ("kind", "said"),
    [("Applied", "It came too late"), ("Finished", "Nothing was done: Because"), ("", "is not known yet")],
)
def test_whoever_denies_what_was_approved_is_told_what_came_of_it(kube, monkeypatch, kind, said):
    """It may be sent between the look at it and the word."""
    name = "payment-1a2b3c4d-rollback-0-1"
    stored = kube.objects[f"remediations/{name}"]
    conditions = [c for c in stored["status"]["conditions"] if c["type"] not in ("Admitted", "Applied", "Finished")]
    stored["status"] |= {"conditions": [*conditions, condition("Admitted", reason="Approved")], "intents": []}
    waits = []

    def act_works(seconds):
        waits.append(seconds)
        if kind and len(waits) == 3:
            stored["status"]["conditions"].append(condition(kind))

    monkeypatch.setattr("time.sleep", act_works)
    done = call("deny", name, "--yes")
    assert (done.exit_code, said in done.stdout) == (0, True), done.stdout
    assert len(waits) == (3 if kind else LOOKS)


def test_a_refusal_prints_the_servers_words_and_what_to_do(kube):
    kube.refuse = "denied request: the user must hold the RBAC verb approve on this Remediation"
    done = call("approve", "payment-1a2b3c4d-rollback-0-1", "-y")
    assert done.exit_code == 1
    assert "error: refused by the API server: denied request: the user must hold" in done.stderr
    assert "what to do: sre@example.com needs the verbs" in done.stderr


def test_an_error_is_one_line_without_traceback(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["kubectl-hemostat", "--kubeconfig", "/nowhere", "incidents"])
    with pytest.raises(SystemExit) as ended:
        entry.run()
    assert ended.value.code == 1
    err = capsys.readouterr().err
    assert err.startswith("error: no cluster to talk to")
    assert len(err.splitlines()) == 1


def test_options_before_and_after_the_command():
    outer = Scope("k", "c", "outer")
    assert Scope(None, None, "inner").over(outer) == Scope("k", "c", "inner")
    assert Scope().over(None) == Scope()


KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: a
clusters: [{name: c, cluster: {server: "https://nowhere.invalid"}}]
users: [{name: u, user: {}}]
contexts:
- {name: a, context: {cluster: c, user: u, namespace: x}}
- {name: b, context: {cluster: c, user: u}}
"""


def test_the_rights_of_people_are_read_from_the_context_before_the_command(raw, monkeypatch):
    """`kubectl hemostat --context prod people`, piped to kubectl: of another cluster they would be others' rights."""
    listed = {"U1": "ann@example.com"}
    fake, opened = FakeKube([{"kind": "ConfigMap", "metadata": {"name": "hemostat-people"}, "data": listed}]), []
    monkeypatch.setattr(Session, "open", classmethod(lambda cls, scope: opened.append(scope) or cls(fake, "shop")))
    done = call("--context", "prod", "--kubeconfig", "a", "people", "--kubeconfig", "b")
    assert opened == [Scope("b", "prod")], done.output
    assert "ann@example.com" in done.stdout


def test_what_to_install_while_stopped_does_not_resume():
    """Applied client-side, the manifests take the Role's rules without a word; server-side they conflict."""
    kube = SimpleNamespace(get=lambda path: (_ for _ in ()).throw(NotFound(path)))
    assert "(kubectl apply --server-side -k operator/deploy)" in stopping._held(Session(kube, "shop"))


def test_namespace_of_the_context(tmp_path):
    path = tmp_path / "config"
    path.write_text(KUBECONFIG)
    assert default_namespace(Scope(str(path))) == "x"
    assert default_namespace(Scope(str(path), "b")) == "default"


def test_an_object_of_another_version_is_named(raw):
    raw["Incident"]["status"]["severity"] = "Terrible"
    with pytest.raises(Broken, match=r"Incident payment-1a2b3c4d cannot be read: status.severity"):
        parse(Incident, raw["Incident"])


def test_help_does_not_load_the_kubernetes_client():
    code = (
        "import sys; import hemostat.cli.main;"
        "print([m for m in ('kubernetes', 'pydantic', 'litellm') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"


def test_version():
    assert call("version").stdout.startswith("hemostat 0.")


def test_a_person_takes_an_incident_on_and_gives_it_back(kube, raw):
    uid = raw["Incident"]["metadata"]["uid"]
    assert "payment-1a2b3c4d is with sre@example.com." in call("acknowledge", "payment-1a2b3c4d").stdout
    assert "left to Hemostat again" in call("acknowledge", "payment-1a2b3c4d", "--undo").stdout
    name = "hemostat.dev/acknowledged-by"
    assert [body["metadata"] for _, body in kube.patched] == [
        {"uid": uid, "annotations": {name: "sre@example.com"}},
        {"uid": uid, "annotations": {name: None}},
    ]


def test_the_shadow_report_sets_what_would_have_been_done_beside_what_was(kube):
    assert "No Remediation ended in shadow" in call("shadow", "report").stdout
    shadowed = kube.objects["remediations/payment-1a2b3c4d-rollback-0-1"]
    ended = {"type": "Finished", "status": "True", "reason": "WouldHave", "lastTransitionTime": "2026-11-21T06:00:10Z"}
    shadowed["status"]["conditions"] = [ended]
    edit = {"manager": "kubectl-set", "time": "2026-11-21T06:05:00Z"}
    meta = {"name": "payment", "uid": shadowed["spec"]["targetRef"]["uid"], "managedFields": [edit]}
    kube.objects["deployments/payment"] = {"kind": "Deployment", "metadata": meta, "spec": {}}
    said = " ".join(call("shadow", "report").stdout.split())
    assert "something else was done by kubectl-set, last at 2026-11-21T06:05:00Z; the Incident is still open" in said
    assert said.endswith("1: something else was done")
