"""Who would put back what a plan writes: it is told by the object itself, for every action, and never fought."""

import pytest
from tests.unit.builders import TARGET, deployment

from hemostat.action.contract import Action, Draft, Params, World, effect, make_plan, once, replace
from hemostat.action.owners import differences
from hemostat.errors import Refused

FLUX = {"kustomize.toolkit.fluxcd.io/name": "apps", "kustomize.toolkit.fluxcd.io/namespace": "flux-system"}
RELEASE = {"helm.toolkit.fluxcd.io/name": "shop", "helm.toolkit.fluxcd.io/namespace": "flux-system"}
ARGO = {"argocd.argoproj.io/tracking-id": "shop:apps/Deployment:shop/payment"}
REPLICAS = {"f:spec": {"f:replicas": {}}}
IMAGE = {"f:spec": {"f:template": {"f:spec": {"f:containers": {'k:{"name":"app"}': {"f:image": {}}}}}}}


def entry(manager, fields, operation="Apply"):
    return {"manager": manager, "operation": operation, "fieldsV1": fields}


def owned(*entries, labels=None, annotations=None, owner=None):
    live = deployment()
    live["metadata"] |= {"labels": labels or {}, "annotations": annotations or {}, "managedFields": list(entries)}
    live["metadata"]["ownerReferences"] = [owner] if owner else []
    return live


def writes(live, path="/spec/replicas", value=5):
    """Plan by an action of somebody else's package that knows nothing of owners."""

    def plan(world, params):
        step = once(effect(world.target, (replace(path, value),)), effect(world.target, (replace(path, 3),)))
        return Draft("Scale it", step, "", 0, 5, {})

    return make_plan(Action("theirs", "", frozenset({"Deployment"}), Params, (), plan), TARGET, Params(), World(live))


def refusal(*args, **kwargs):
    with pytest.raises(Refused) as caught:
        writes(*args, **kwargs)
    return caught.value


def test_what_flux_applies_is_refused_with_what_to_put_where():
    found = refusal(owned(entry("kustomize-controller", REPLICAS), labels=FLUX))
    assert found.reason == "OwnedByGitOps"
    assert "Flux Kustomization flux-system/apps" in str(found)
    assert "spec.replicas: 5" in str(found)
    assert "kustomize.toolkit.fluxcd.io/reconcile=disabled" in str(found)


@pytest.mark.parametrize(
    "live",
    [
        owned(),
        owned(entry("kustomize-controller", IMAGE), labels=FLUX),
        owned(entry("kustomize-controller", REPLICAS)),
        owned(
            entry("kustomize-controller", REPLICAS),
            labels=FLUX,
            annotations={"kustomize.toolkit.fluxcd.io/reconcile": "disabled"},
        ),
        owned(
            entry("kustomize-controller", REPLICAS),
            labels={**FLUX, "kustomize.toolkit.fluxcd.io/reconcile": "Disabled"},
        ),
        owned(
            entry("kustomize-controller", REPLICAS),
            labels=FLUX,
            annotations={"kustomize.toolkit.fluxcd.io/ssa": "IfNotPresent"},
        ),
        owned(entry("argocd-controller", IMAGE), annotations=ARGO),
        owned(entry("kubectl", REPLICAS)),
        owned(owner={"apiVersion": "apps/v1", "kind": "Deployment", "name": "x", "controller": True}),
        owned(owner={"apiVersion": "example.com/v1", "kind": "Shop", "name": "x"}),
    ],
)
def test_what_nobody_puts_back_is_written(live):
    found = writes(live)
    assert (found.overwritten_by, found.summary) == ((), "Scale it")


def test_merging_flux_applies_its_own_fields_all_the_same():
    live = owned(
        entry("kustomize-controller", REPLICAS), labels=FLUX, annotations={"kustomize.toolkit.fluxcd.io/ssa": "Merge"}
    )
    assert refusal(live).reason == "OwnedByGitOps"


def test_a_label_whose_manager_is_nowhere_counts_for_all_fields():
    """Its entries may be gone, or be under a name that somebody chose."""
    assert refusal(owned(labels=FLUX)).reason == "OwnedByGitOps"


@pytest.mark.parametrize(
    ("live", "name"),
    [
        (owned(entry("argocd-controller", REPLICAS), annotations=ARGO), "Argo CD application shop"),
        (owned(entry("argocd-controller", REPLICAS, "Update"), annotations=ARGO), "Argo CD application shop"),
        (owned(entry("argocd-application-controller", REPLICAS), annotations=ARGO), "Argo CD application shop"),
        (owned(labels={"argocd.argoproj.io/instance": "shop"}), "Argo CD application shop"),
        (owned(entry("helm-controller", REPLICAS), labels=RELEASE), "Flux HelmRelease flux-system/shop"),
    ],
)
def test_of_whom_it_is_not_known_whether_they_put_it_back_a_person_is_told(live, name):
    found = writes(live)
    assert found.overwritten_by == (name,)
    assert name in found.summary


def test_what_an_operator_makes_is_changed_in_what_it_is_made_from():
    cluster = {"apiVersion": "postgresql.cnpg.io/v1", "kind": "Cluster", "name": "orders", "controller": True}
    found = refusal(owned(owner=cluster))
    assert found.reason == "OwnedByOperator"
    assert "Cluster orders" in str(found)
    assert "spec.replicas: 5" in str(found)


def test_helm_writes_when_people_tell_it_to_and_that_is_said():
    found = writes(owned(entry("helm", REPLICAS, "Update"), annotations={"meta.helm.sh/release-name": "shop"}))
    assert found.overwritten_by == ()
    assert "next upgrade of Helm release shop" in found.summary


def test_what_to_write_is_told_as_a_manifest_has_it_and_no_value_of_a_variable():
    before = {
        "containers": [{"name": "app", "image": "shop:2", "env": [{"name": "KEY", "value": "s3cret"}], "tty": True}]
    }
    after = {"containers": [{"name": "app", "image": "shop:1", "env": [{"name": "KEY", "value": "0ther"}]}]}
    assert list(differences(before, after, "spec")) == [
        'spec.containers[app].image: "shop:1"',
        "spec.containers[app].env[KEY].value as it was",
        "without spec.containers[app].tty",
    ]
    assert list(differences(after, after, "spec")) == []
