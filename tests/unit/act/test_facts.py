"""What `act` takes for a confirmation of the trouble, by its own eyes."""

from types import SimpleNamespace

from tests.unit.builders import NAMESPACE, deployment, incident, pod, signal, template, watch

from hemostat.act.facts import Facts
from hemostat.telemetry.sample import Answer, Series

SIGNALS = [{"name": "errors", "metric": {"query": "q", "above": "5"}}]
FIRING = incident(signals=(signal("errors/metric").model_copy(update={"name": "errors"}),))


def corroborated(seen=FIRING, watched="payment", live=None, pods=()):
    found = watch(signals=SIGNALS)
    found = found.model_copy(
        update={
            "spec": found.spec.model_copy(update={"target": found.spec.target.model_copy(update={"name": watched})})
        }
    )
    kube = SimpleNamespace(list=lambda *_, **__: list(pods))
    store = SimpleNamespace(watch=lambda *_: found)
    prometheus = SimpleNamespace(instant=lambda _: Answer([Series((), 9.0)]))
    facts = Facts(kube, store, prometheus, None)
    return facts.corroboration(NAMESPACE, seen, live or deployment(template("1")))


def test_the_watch_of_the_target_confirms():
    assert "Prometheus confirms: errors is 9" in corroborated()


def test_only_what_fires_is_asked_for():
    """A default Watch has twenty rules, and the gate waits for the answers."""
    other = signal("metrics/MemoryExhaustion").model_copy(update={"name": "errors"})
    assert corroborated(seen=incident(signals=(other,))) is None
    series = signal("errors/metric{pod=a}").model_copy(update={"name": "errors"})
    assert corroborated(seen=incident(signals=(series,))) is not None


def test_a_watch_of_something_else_confirms_nothing():
    assert corroborated(watched="another") is None


def test_pods_of_the_target_confirm():
    assert "ImagePullBackOff" in corroborated(watched="another", pods=[pod(waiting="ImagePullBackOff")])


def test_without_labels_to_go_by_everybody_s_pods_confirm_nothing():
    live = deployment(template("1"))
    live["spec"]["selector"] = {"matchExpressions": [{"key": "app", "operator": "Exists"}]}
    assert corroborated(watched="another", live=live, pods=[pod(waiting="ImagePullBackOff")]) is None
