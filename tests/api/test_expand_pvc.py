"""`expand-pvc` on a real API server, which itself refuses what the plan must not ask for."""

from tests.api import objects
from tests.api.roundtrip import Trip
from tests.api.support import MANAGER, RBAC, Cluster, can, eventually, refusal, rest

from hemostat.action.registry import discover
from hemostat.api.rbac import opt_in

ACTION = discover()["expand-pvc"]


def test_claims_of_a_class_that_allows_it_are_grown_and_cannot_be_shrunk(cluster: Cluster) -> None:
    shop, name = cluster.make_namespace(), cluster.new_name()
    cluster.account(shop, "default")
    cluster.admin.create(rest("rolebindings", shop, RBAC), opt_in(shop), MANAGER)
    eventually(lambda: can(cluster.act, "patch", "persistentvolumeclaims", shop), "act has opted in")
    kind = {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": name}}
    grows = {**kind, "provisioner": "example.com/disk", "allowVolumeExpansion": True}
    cluster.admin.create(rest("storageclasses", None, "storage.k8s.io/v1"), grows, MANAGER)
    claims = rest("persistentvolumeclaims", shop)
    spec = {
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": name,
        "volumeName": "v",
        "resources": {"requests": {"storage": "10Gi"}},
    }
    body = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data", "namespace": shop}}
    cluster.admin.create(claims, {**body, "spec": spec}, MANAGER)
    bound = {"phase": "Bound", "capacity": {"storage": "10Gi"}}
    cluster.admin.merge_patch(f"{claims}/data/status", {"status": bound}, MANAGER)

    target = cluster.make(objects.deployment(name, shop))
    owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": name, "uid": target["metadata"]["uid"]}
    template = {"metadata": {"labels": {"app": name}}, "spec": target["spec"]["template"]["spec"]}
    sets = {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {"name": name, "namespace": shop, "ownerReferences": [owner | {"controller": True}]},
        "spec": {"selector": {"matchLabels": {"app": name}}, "template": template},
    }
    uid = cluster.make(sets)["metadata"]["uid"]
    held = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": name, "uid": uid, "controller": True}
    metadata = {"name": name, "namespace": shop, "labels": {"app": name}, "ownerReferences": [held]}
    volume = {"name": "data", "persistentVolumeClaim": {"claimName": "data"}}
    main = {"containers": [{"name": "main", "image": "example/app:1"}], "volumes": [volume]}
    cluster.make({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": main})

    trip = Trip(cluster, shop, ACTION, target)
    trip.there()
    asked = cluster.admin.get(f"{claims}/data")["spec"]["resources"]["requests"]["storage"]
    assert asked == "15Gi"
    smaller = [{"op": "replace", "path": "/spec/resources/requests/storage", "value": "9Gi"}]
    assert "can not be less than status.capacity" in refusal(
        lambda: cluster.act.json_patch(f"{claims}/data", smaller, MANAGER)
    )
