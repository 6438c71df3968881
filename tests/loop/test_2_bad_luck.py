"""Bad input and bad luck on real pods: each gets a condition and an Event that name it, and the loop goes on."""

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from hemostat.api.incident import DIAGNOSED
from hemostat.api.meta import find
from hemostat.api.resources import RUNBOOK, WATCH
from hemostat.api.runbook import Runbook
from hemostat.api.watch import Watch
from hemostat.kube import Kube, NotFound
from hemostat_chaos.demo import play
from hemostat_chaos.demo.kubectl import Kubectl
from hemostat_chaos.experiment.waiting import Waiter
from hemostat_chaos.experiment.world import World

OTLP = "/api/v1/namespaces/hemostat-system/services/hemostat-observe:4318/proxy/v1/traces"


def condition(kube: Kube, name: str, kind: str) -> tuple[str, str, str]:
    watch = Watch.model_validate(kube.get(WATCH.path("shop", name)))
    found = find(watch.status.conditions, kind)
    return (found.status.value, found.reason, found.message) if found is not None else ("", "", "")


def reasons(kube: Kube, name: str) -> set[str]:
    events = kube.list("/api/v1/namespaces/shop/events", fieldSelector=f"involvedObject.name={name}")
    return {e["reason"] for e in events}


def apply(kubectl: Kubectl, tmp_path: Any, *objects: dict[str, Any]) -> None:
    path = tmp_path / "objects.yaml"
    path.write_text(yaml.safe_dump_all(objects))
    kubectl("apply", "--server-side", "-f", str(path))


@pytest.fixture
def prometheus_away(stage: play.Stage) -> Iterator[None]:
    stage.kubectl("scale", "-n", "monitoring", "deployment/prometheus", "--replicas=0")
    yield
    stage.kubectl("scale", "-n", "monitoring", "deployment/prometheus", "--replicas=1")
    play.wait_ready(stage)


@pytest.mark.timeout(240)
def test_prometheus_down_is_said_and_traces_still_detect(
    stage: play.Stage, prometheus_away: None, kube: Kube, waiter: Waiter
) -> None:
    def said() -> str | None:
        status, reason, message = condition(kube, "payment", "DataFresh")
        return None if (status, reason) == ("False", "PrometheusUnavailable") else f"{status} {reason} {message}"

    waiter.until("Watch says that Prometheus is away", said, 60)
    waiter.until("Event", lambda: None if "PrometheusUnavailable" in reasons(kube, "payment") else "none", 30)
    stage.kubectl("set", "env", "-n", "shop", "deployment/payment", "SHOP_FAIL_PERCENT=60")
    try:
        world = World(kube, "shop")
        before = {i.metadata.name for i in world.incidents()}
        waiter.until(
            "an Incident from traces alone",
            lambda: None if [i for i in world.incidents() if i.metadata.name not in before] else "none",
            60,
        )
    finally:
        stage.kubectl("set", "env", "-n", "shop", "deployment/payment", "SHOP_FAIL_PERCENT-")


def test_garbage_over_otlp_is_refused_in_words_and_the_receiver_lives(kube: Kube, kubectl: Kubectl) -> None:
    import json

    from kubernetes import client, config

    configuration = client.Configuration()
    config.load_kube_config(client_configuration=configuration)
    api = client.ApiClient(configuration)

    def post(body: bytes, content: str, encoding: str | None = None) -> tuple[int, str]:
        headers = {"Content-Type": content} | ({"Content-Encoding": encoding} if encoding else {})
        response = api.rest_client.pool_manager.request(
            "POST", configuration.host + OTLP, body=body, headers=headers, timeout=10, retries=False
        )
        return response.status, response.data.decode(errors="replace")

    assert post(b"\xff\xffgarbage", "application/x-protobuf")[0] == 400
    status, said = post(b"{not json", "application/json")
    assert status == 400
    assert "ExportTraceServiceRequest" in said
    assert post(b"not gzip", "application/x-protobuf", "gzip")[0] == 400
    assert post(b"x", "text/plain")[0] == 415
    assert post(json.dumps({"resourceSpans": []}).encode(), "application/json")[0] == 200
    assert (
        kubectl("get", "pods", "-n", "hemostat-system", "-o", "jsonpath={.items[*].status.phase}") == "Running Running"
    )


def test_a_missing_target_and_a_bad_query_are_said(kube: Kube, kubectl: Kubectl, waiter: Waiter, tmp_path: Any) -> None:
    meta = {"namespace": "shop"}
    kind = {"apiVersion": "hemostat.dev/v1alpha1", "kind": "Watch"}
    query = {"name": "broken", "metric": {"query": "sum(((", "above": "1"}}
    apply(
        kubectl,
        tmp_path,
        {**kind, "metadata": {**meta, "name": "nobody"}, "spec": {"target": {"name": "nobody"}}},
        {**kind, "metadata": {**meta, "name": "typo"}, "spec": {"target": {"name": "frontend"}, "signals": [query]}},
    )
    try:
        for name, reason in (("nobody", "TargetMissing"), ("typo", "BadQuery")):
            waiter.until(
                f"Watch {name} says {reason}",
                lambda n=name, r=reason: None if condition(kube, n, "Ready")[:2] == ("False", r) else "not yet",
                60,
            )
    finally:
        kubectl("delete", "watches.hemostat.dev", "-n", "shop", "nobody", "typo")


def runbook(name: str, expression: str, action: str = "rollback", **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "hemostat.dev/v1alpha1",
        "kind": "Runbook",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {
            "state": "Active",
            "cause": "for the test",
            "symptoms": [{"name": "s", "expression": expression, "weight": 100, "necessity": "Required"}],
            "remediations": [{"action": action}],
            **spec,
        },
    }


def test_a_runbook_that_cannot_be_used_says_why(kube: Kube, kubectl: Kubectl, waiter: Waiter, tmp_path: Any) -> None:
    apply(kubectl, tmp_path, runbook("broken", "nonsense.exists(", "teleport"))
    try:

        def said() -> str | None:
            found = Runbook.model_validate(kube.get(RUNBOOK.path("shop", "broken")))
            ready = find(found.status.conditions, "Ready")
            if ready is None or ready.status != "False":
                return "not yet"
            assert "teleport" in ready.message
            assert "symptom s" in ready.message
            return None

        waiter.until("Runbook broken is not Ready", said, 30)
    finally:
        kubectl("delete", "runbooks.hemostat.dev", "-n", "shop", "broken")


@pytest.mark.timeout(420)
def test_two_runbooks_that_match_equally_then_none_then_one(
    stage: play.Stage, kube: Kube, kubectl: Kubectl, waiter: Waiter, tmp_path: Any
) -> None:
    play.wait_baseline(stage)
    world = World(kube, "shop")
    before = {i.metadata.name for i in world.incidents()}
    twins = ("twin-a", "twin-b")
    apply(kubectl, tmp_path, *(runbook(n, "signals.exists(s, s.state == 'Firing')") for n in twins))
    kubectl("set", "env", "-n", "shop", "deployment/payment", "SHOP_FAIL_PERCENT=60")

    def diagnosed(reason: str) -> str | None:
        new = [i for i in world.incidents() if i.metadata.name not in before]
        found = find(new[0].status.conditions, DIAGNOSED) if new else None
        if found is None or found.reason != reason:
            return f"{found.reason if found else 'no Incident'}"
        if reason == "RunbooksTie":
            assert all(name in found.message for name in twins)
        return None

    try:
        waiter.until("RunbooksTie", lambda: diagnosed("RunbooksTie"), 60)
        name = next(i.metadata.name for i in world.incidents() if i.metadata.name not in before)
        assert "RunbooksTie" in reasons(kube, name)
        kubectl("delete", "runbooks.hemostat.dev", "-n", "shop", *twins, "bad-rollout")
        waiter.until("NoRunbookMatches", lambda: diagnosed("NoRunbookMatches"), 60)
        assert "NoRunbookMatches" in reasons(kube, name)
        kubectl("apply", "--server-side", "-k", "chaos/demo")
        waiter.until("RunbookMatched", lambda: diagnosed("RunbookMatched"), 60)
    finally:
        kubectl("delete", "runbooks.hemostat.dev", "-n", "shop", "--ignore-not-found", *twins)
        kubectl("apply", "--server-side", "-k", "chaos/demo")
        kubectl("set", "env", "-n", "shop", "deployment/payment", "SHOP_FAIL_PERCENT-")
    waiter.until("it clears by itself", lambda: _open(world), 150)


def _open(world: World) -> str | None:
    open_ = [
        i.metadata.name
        for i in world.incidents()
        if (c := find(i.status.conditions, "Resolved")) is None or c.status != "True"
    ]
    return f"{', '.join(open_)} open" if open_ else None


def test_the_api_server_explains_an_invalid_resource(kubectl: Kubectl, tmp_path: Any) -> None:
    from hemostat.errors import Refused

    both = {"name": "x", "metric": {"query": "up", "above": "1", "below": "0"}}
    bad = {
        "apiVersion": "hemostat.dev/v1alpha1",
        "kind": "Watch",
        "metadata": {"name": "bad", "namespace": "shop"},
        "spec": {"target": {"name": "payment"}, "signals": [both]},
    }
    with pytest.raises(Refused, match="must set exactly one of above, below, unusual"):
        apply(kubectl, tmp_path, bad)


def test_nothing_of_ours_lands_on_what_is_only_watched(kube: Kube) -> None:
    for kind in ("deployments", "replicasets"):
        for item in kube.list(f"/apis/apps/v1/namespaces/shop/{kind}"):
            meta = item["metadata"]
            ours = [
                k for k in (*meta.get("annotations", {}), *meta.get("labels", {})) if "hemostat" in k or "kopf" in k
            ]
            assert not ours, (meta["name"], ours)
            assert not meta.get("finalizers")
    with pytest.raises(NotFound):
        kube.get("/apis/apps/v1/namespaces/shop/deployments/hemostat")
