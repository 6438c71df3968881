"""What there is to undo, in which order, and the command: it asks, goes on after a refusal, and says what is left."""

import json
from datetime import timedelta

import pytest
from tests.unit.act.double import ApiServer
from tests.unit.builders import HASH, NAMESPACE, at, condition, deployment, meta, remediation
from tests.unit.cli.test_commands import call

from hemostat.action.contract import calling, effect, once, replace
from hemostat.api.remediation import Call, Plan
from hemostat.cli.session import Session
from hemostat.cli.undo import Fate, began, chosen, items
from hemostat.clock import FakeClock, rfc3339
from hemostat.errors import Refused, Retry
from hemostat.kube import Conflict

NOW = at(3600)
OURS = [{"manager": "hemostat-uid-two-0-forward", "operation": "Update", "fieldsV1": {"f:spec": {"f:replicas": {}}}}]
BASE = "/apis/hemostat.dev/v1alpha1"
PLAN = {"diff": "", "replaced_pods": 0, "replicas_after": 1, "on_ineffective": "Undo", "reads_digest": HASH}


def scaled(name, before, after, when, *, target="payment", namespace=NAMESPACE, conditions=(), **without):
    """Return a Remediation that scaled a Deployment; `result` or `inverse` may be False."""
    live = deployment() | {"metadata": meta(target)}
    forward, back = (effect(live, (replace("/spec/replicas", n),), "scale") for n in (after, before))
    plan = Plan(summary=f"Scale {target} from {before} to {after}", steps=once(forward, back), **PLAN).wire()
    if not without.get("inverse", True):
        del plan["steps"][0]["inverse"]
    time, numbers = rfc3339(at(when)), {"effect": "Forward", "resourceVersion": "1", "generation": 2}
    intent = numbers | {"attempt": 1, "uid": f"uid-{target}", "time": time}
    done = [numbers | {"proof": "ManagedFields", "time": time}] if without.get("result", True) else []
    status = {"plan": plan, "intents": [intent], "results": done, "conditions": list(conditions)}
    made = remediation(name, status=status).wire()
    made["metadata"] |= {"namespace": namespace}
    return made | {"kind": "Remediation"}


def read_as(*bodies):
    from hemostat.api.remediation import Remediation

    return [Remediation.model_validate(b) for b in bodies]


FINISHED, UNDONE = condition("Finished", True, "Healed"), condition("Undone", True, "TakenBack")


def names(found):
    return [r.metadata.name for r in found]


def test_the_newest_comes_first_and_of_what_has_ended_only_what_is_recent():
    known = read_as(
        scaled("old", 1, 2, 0, conditions=[FINISHED]),
        scaled("recent", 2, 3, 3000, conditions=[FINISHED]),
        scaled("at-work", 3, 4, 1),
        scaled("undone", 4, 5, 3500, conditions=[UNDONE]),
        scaled("announced", 5, 6, 3550, result=False),
        remediation("waits").wire(),
    )
    assert names(chosen(known, at(2999))) == ["announced", "recent", "at-work"]
    assert names(chosen(known, at(-1))) == ["announced", "recent", "at-work", "old"]
    assert began(known[-1]) is None


def looked(known, objects):
    def read(step, namespace):
        found = objects[step.inverse.name]
        if isinstance(found, Exception):
            raise found
        return found

    return list(items(known, read, NOW))


def live(replicas, name="payment"):
    return deployment(replicas=replicas) | {"metadata": meta(name)}


def test_what_was_done_on_top_of_each_other_comes_off_in_turn():
    known = read_as(scaled("second", 6, 9, 20), scaled("first", 3, 6, 10))
    found = looked(known, {"payment": live(9)})
    assert [(i.fate, i.diff.splitlines()[-2:]) for i in found] == [
        (Fate.TAKES, ["-9", "+6"]),
        (Fate.TAKES, ["-6", "+3"]),
    ]
    changed = looked(known, {"payment": live(7)})
    assert [i.fate for i in changed] == [Fate.LEFT, Fate.LEFT]
    assert "/spec/replicas is 7 and not 9" in changed[0].why


def test_of_each_it_is_said_why_it_stays():
    known = read_as(
        scaled("irreversible", 1, 2, 9, inverse=False),
        scaled("secret", 1, 2, 8, target="secret"),
        scaled("silent", 1, 2, 7, target="silent"),
        scaled("gone", 1, 2, 6, target="gone"),
        scaled("back", 1, 2, 5, target="back"),
        scaled("never", 1, 2, 4, target="never", result=False, inverse=False),
    )
    objects = {
        "secret": Refused("Forbidden", "you may not"),
        "silent": Retry("no answer"),
        "gone": Refused("TargetReplaced", "it is gone"),
        "back": live(1, "back"),
    }
    found = looked(known, objects)
    assert [(i.remediation.metadata.name, i.fate) for i in found] == [
        ("irreversible", Fate.FINAL),
        ("secret", Fate.LEFT),
        ("silent", Fate.LEFT),
    ]
    assert "you may not" in found[1].why


def test_of_what_goes_on_and_cannot_be_undone_it_is_said_how_it_is_halted():
    body = scaled("drain", 1, 2, 20, inverse=False)
    body["status"]["plan"]["steps"] *= 2
    (going,) = looked(read_as(body), {})
    assert going.fate is Fate.FINAL
    assert going.why.endswith("of its steps, and it goes on: to halt it, kubectl hemostat deny -n shop drain")
    for ended in (FINISHED, condition("Applied", False, "Incomplete")):
        body["status"]["conditions"] = [ended]
        (over,) = looked(read_as(body), {})
        assert over.why.endswith("of its steps")


class FakeKube(ApiServer):
    """An API server and who uses it."""

    def __init__(self, *bodies):
        super().__init__()
        self.forbidden = set()
        self.clock = FakeClock(NOW)
        for body in bodies:
            where = body["metadata"]["namespace"]
            self.put(f"{BASE}/namespaces/{where}/remediations/{body['metadata']['name']}", body)

    def target(self, name, replicas, namespace=NAMESPACE):
        self.put(f"/apis/apps/v1/namespaces/{namespace}/deployments/{name}", live(replicas, name))

    def replicas(self, name, namespace=NAMESPACE):
        return self.objects[f"/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]["spec"]["replicas"]

    def list(self, path, **query):
        if path == f"{BASE}/remediations":
            return [o for p, o in self.objects.items() if "/remediations/" in p]
        return super().list(path)

    def user(self):
        return "ann@example.com", ()

    def server_now(self):
        return self.clock.now()

    def merge_patch(self, path, body, manager):
        self.write(path, manager, lambda o: o["metadata"].update(body["metadata"]))
        return self._get(path)

    def json_patch(self, path, ops, manager, *, dry_run=False):
        if any(f"/{name}/" in f"{path}/" for name in self.forbidden):
            raise Refused("Forbidden", f"PATCH {path}: you may not")
        return super().json_patch(path, ops, manager, dry_run=dry_run)


@pytest.fixture
def kube(monkeypatch):
    fake = FakeKube(
        scaled("one", 3, 6, 10, target="one", conditions=[FINISHED]),
        scaled("two", 1, 2, 20, target="two", conditions=[FINISHED]),
        scaled("three", 1, 2, 30, target="three", namespace="bank"),
    )
    for name, replicas, where in (("one", 6, NAMESPACE), ("two", 2, NAMESPACE), ("three", 2, "bank")):
        fake.target(name, replicas, where)
    monkeypatch.setattr(Session, "open", classmethod(lambda cls, scope: cls(fake, scope.namespace or NAMESPACE)))
    monkeypatch.setattr("hemostat.clock.SystemClock", lambda: fake.clock)
    monkeypatch.setattr("time.sleep", lambda _: None)
    return fake


def test_all_of_a_namespace_after_it_was_shown_and_confirmed(kube):
    refused = call("undo", "--all", stdin="n\n")
    assert refused.exit_code == 1
    shown = refused.stdout.splitlines()
    assert [line.split()[0] for line in shown if line.startswith("shop/")] == ["shop/two", "shop/one"]
    assert "    -6" in shown
    assert "    +3" in shown
    assert (kube.replicas("one"), kube.replicas("two")) == (6, 2)
    done = call("undo", "--all", stdin="y\n")
    assert (done.exit_code, done.stdout.count(": taken back")) == (0, 2)
    assert (kube.replicas("one"), kube.replicas("two"), kube.replicas("three", "bank")) == (3, 1, 2)
    marked = kube.objects[f"{BASE}/namespaces/shop/remediations/one"]["metadata"]["annotations"]
    assert marked == {
        "hemostat.dev/taken-back-by": "ann@example.com",
        "hemostat.dev/taken-back-time": rfc3339(NOW),
    }
    again = call("undo", "--all", "--yes")
    assert (again.exit_code, again.stdout) == (0, "")
    assert "Nothing stands of what was done within 24h." in again.stderr


def test_everywhere_and_one_by_name(kube):
    done = call("undo", "three", "-n", "bank", "--yes")
    assert (done.exit_code, kube.replicas("three", "bank")) == (0, 1)
    done = call("undo", "--all", "-A", "--yes")
    assert (done.exit_code, done.stdout.count(": taken back")) == (0, 2)
    again = call("undo", "three", "-n", "bank", "--yes")
    assert (again.exit_code, "Nothing stands of what three did." in again.stderr) == (0, True)


def test_what_is_refused_keeps_nothing_else_and_ends_with_1(kube):
    kube.forbidden = {"two"}
    done = call("undo", "--all", "--yes")
    assert done.exit_code == 1
    assert "shop/two: NOT taken back" in done.stdout
    assert "1 could not be taken back." in done.stderr
    assert (kube.replicas("one"), kube.replicas("two")) == (3, 2)
    assert not kube.objects[f"{BASE}/namespaces/shop/remediations/two"]["metadata"]["annotations"], "nor marked"


def test_what_somebody_changed_is_named_and_the_rest_is_taken_back(kube):
    kube.target("two", 5)
    done = call("undo", "--all", "--yes")
    assert done.exit_code == 1
    assert "CANNOT BE TAKEN BACK: somebody changed it since, so it is left alone: /spec/replicas is 5" in done.stdout
    assert (kube.replicas("one"), kube.replicas("two")) == (3, 5)


def test_what_was_taken_back_and_changed_later_is_not_left(kube):
    """Without the operator only the mark tells that it was."""
    assert call("undo", "--all", "--yes").exit_code == 0
    kube.target("two", 5)
    again = call("undo", "--all", "--yes")
    assert (again.exit_code, kube.replicas("two")) == (0, 5)


def test_what_cannot_be_understood_is_left_and_said(kube):
    kube.put(f"{BASE}/namespaces/shop/remediations/odd", {"kind": "Remediation", "metadata": meta("odd"), "spec": {}})
    done = call("undo", "--all", "--yes")
    assert (done.exit_code, kube.replicas("one")) == (1, 3)
    assert "Remediation odd cannot be read" in done.stderr


def test_what_is_irreversible_is_named_and_is_no_failure_of_all(kube):
    body = scaled("two", 1, 2, 20, target="two", inverse=False)
    kube.put(f"{BASE}/namespaces/shop/remediations/two", body)
    done = call("undo", "--all", "--yes")
    assert (done.exit_code, "STAYS: nothing undoes it" in done.stdout) == (0, True)
    assert call("undo", "two", "--yes").exit_code == 1


def test_of_several_steps_what_can_be_is_taken_back_and_the_rest_is_named(kube):
    body = scaled("two", 1, 2, 20, target="two")
    (step,), (intent,), (result,) = (
        body["status"]["plan"]["steps"],
        body["status"]["intents"],
        body["status"]["results"],
    )
    gone = {"verb": "Delete", "apiVersion": "v1", "kind": "Pod", "name": "p", "uid": "uid-p", "subresource": "eviction"}
    body["status"]["plan"]["steps"] = [step, {"forward": gone}]
    body["status"]["intents"] = [intent, intent | {"step": 1, "uid": "uid-p"}]
    body["status"]["results"] = [result, result | {"step": 1, "proof": "Gone"}]
    kube.put(f"{BASE}/namespaces/shop/remediations/two", body)
    done = call("undo", "two", "--yes")
    assert (done.exit_code, kube.replicas("two")) == (0, 1)
    assert "of that nothing undoes 1 of its steps" in done.stdout


def test_a_step_that_was_taken_just_before_the_mark_is_taken_back_too(kube, monkeypatch):
    body, other = scaled("drain", 1, 2, 20, target="two"), scaled("drain", 3, 6, 21, target="one")
    intents, results = ([b["status"][k][0] for b in (body, other)] for k in ("intents", "results"))
    body["status"]["plan"]["steps"] += other["status"]["plan"]["steps"]
    where, mark = f"{BASE}/namespaces/shop/remediations/drain", kube.merge_patch
    kube.put(where, body)

    def late(path, said, manager):
        later = {"intents": [intents[0], intents[1] | {"step": 1}], "results": [results[0], results[1] | {"step": 1}]}
        kube.write(where, "hemostat-act", lambda o: o["status"].update(later))
        return mark(path, said, manager)

    monkeypatch.setattr(kube, "merge_patch", late)
    done = call("undo", "drain", "--yes")
    assert (done.exit_code, kube.replicas("two"), kube.replicas("one")) == (0, 1, 3)


def both(kube):
    """One Remediation that scaled two Deployments."""
    body, other = scaled("both", 1, 2, 20, target="two"), scaled("both", 3, 6, 21, target="one")
    for key in ("intents", "results"):
        body["status"][key] += [one | {"step": 1} for one in other["status"][key]]
    body["status"]["plan"]["steps"] += other["status"]["plan"]["steps"]
    kube.put(f"{BASE}/namespaces/shop/remediations/both", body)


@pytest.mark.parametrize("changed", ["one", "two"])
def test_of_several_steps_one_that_somebody_changed_is_named_and_the_others_are_taken_back(kube, changed):
    """Seen: the whole Remediation was left."""
    both(kube)
    kube.target(changed, 9)
    done = call("undo", "both", "--yes")
    assert {"one": kube.replicas("one"), "two": kube.replicas("two")} == {"one": 3, "two": 1} | {changed: 9}
    assert done.exit_code == 1, "some of it is left"
    assert f"of that Deployment {changed}: somebody changed it since" in done.stdout
    assert f"both: NOT taken back: 1 of 2 steps stay, the others are back: Deployment {changed}: " in done.stdout


def test_of_several_steps_one_that_is_refused_keeps_nothing_else(kube):
    both(kube)
    kube.forbidden = {"one"}
    done = call("undo", "both", "--yes")
    assert (done.exit_code, kube.replicas("one"), kube.replicas("two")) == (1, 6, 1)
    assert "Deployment one: PATCH " in done.stdout


def test_whoever_cannot_let_go_of_the_fields_is_told(kube, monkeypatch):
    """Seen: after twenty lost races it was given up without a word."""
    patch = kube.json_patch

    def busy(path, ops, manager, *, dry_run=False):
        if manager == "hemostat-release":
            raise Conflict("it moved on")
        return patch(path, ops, manager, dry_run=dry_run)

    monkeypatch.setattr(kube, "json_patch", busy)
    where = "/apis/apps/v1/namespaces/shop/deployments/two"
    kube.write(where, "hemostat-uid-two-0-forward", lambda o: o["metadata"].update(managedFields=OURS))
    done = call("undo", "two", "--yes")
    assert (done.exit_code, kube.replicas("two")) == (0, 1)
    assert "Deployment two changes faster than our fields can let go" in done.stderr


def test_how_far_back(kube):
    kube.clock.step(timedelta(days=2).total_seconds())
    assert "Nothing stands" in call("undo", "--all", "--yes").stderr
    done = call("undo", "--all", "--since", "3d", "--yes").stdout
    assert ": taken back" in done
    assert "humanEditSeconds" in done, "for how long a person decides, and that the same may be proposed again"
    wrong = call("undo", "--all", "--since", "soon")
    assert "--since must be a time like 30m, 24h or 7d" in str(wrong.exception)


def test_what_was_not_done_is_said_to_be_denied_instead(kube):
    kube.put(f"{BASE}/namespaces/shop/remediations/waits", remediation("waits").wire() | {"kind": "Remediation"})
    done = call("undo", "waits", "--yes")
    assert (done.exit_code, "kubectl hemostat deny waits" in done.stderr) == (0, True)


@pytest.mark.parametrize("arguments", [(), ("one", "--all"), ("one", "-A")])
def test_what_cannot_be_meant_says_what_could(kube, arguments):
    done = call("undo", *arguments, "--yes")
    assert isinstance(done.exception, Refused)
    assert "or --all" in str(done.exception)


def test_what_stands_in_another_service_is_left_with_the_words_to_copy(kube):
    """The person's own rights are rights in the cluster: they end nothing in LiteLLM."""
    key = Call(protocol="LiteLLM", url="http://litellm.shop.svc:4001/proxy", id="ab" * 32)
    body = scaled("two", 1, 2, 20, target="two")
    forward, back = (calling("litellm", key, blockedBy=by) for by in ("u", ""))
    body["status"]["plan"]["steps"] = [{"forward": forward.wire(), "inverse": back.wire()}]
    kube.put(f"{BASE}/namespaces/shop/remediations/two", body)
    done = call("undo", "--all", "--yes")
    assert (done.exit_code, kube.replicas("one")) == (1, 3)
    assert "CANNOT BE TAKEN BACK: it stands in another service" in done.stdout
    lines = done.stdout.splitlines()
    first = next(n for n, line in enumerate(lines) if "port-forward" in line)
    forward, key_of, update = lines[first : first + 3]
    assert forward == "  kubectl port-forward -n shop service/litellm 4000:4001 &"
    assert '{{index .data "admin-key"}}' in key_of
    assert "localhost:4000/proxy/key/update" in update, "the one route that a key as the README makes it may use"
    assert json.dumps({"key": "ab" * 32, "blocked": False}) in update
