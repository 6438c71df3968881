"""The cache behind a real API server's watch streams, as `observe` and with its rights: also after a gap."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import kopf
import pytest
from tests.api import objects
from tests.api.support import MANAGER, Cluster, eventually, rest

from hemostat.api.identity import NAMESPACE, OBSERVE
from hemostat.app import kopf_settings
from hemostat.clock import Clock, FakeClock, SystemClock
from hemostat.handlers import follow
from hemostat.observe.freshness import BEHIND
from hemostat.observe.kinds import KINDS
from hemostat.observe.resync import CHECKED, Resync
from hemostat.observe.scene import scene_of
from hemostat.observe.store import Store
from hemostat.observe.world import World


@contextmanager
def listening(cluster: Cluster, world: World) -> Iterator[None]:
    """Run kopf with every kind's stream, by the service account of `observe`."""
    token = cluster.kubectl("create", "token", OBSERVE, f"--namespace={NAMESPACE}").stdout.strip()
    authority = str(cluster.server.directory / "pki" / "ca.crt")
    info = kopf.ConnectionInfo(server=cluster.server.url, ca_path=authority, token=token)
    registry = kopf.OperatorRegistry()
    kopf.on.login(registry=registry)(lambda **_: info)
    for kind in KINDS:
        put, remove = partial(world.put, kind.name), partial(world.remove, kind.name)
        follow(registry, kind.group, kind.version, kind.plural, put=put, remove=remove)
    stop = threading.Event()
    failed: list[BaseException] = []

    def run() -> None:
        try:
            asyncio.run(
                kopf.operator(
                    registry=registry, settings=kopf_settings(), clusterwide=True, standalone=True, stop_flag=stop
                )
            )
        except BaseException as error:  # noqa: BLE001 - told by the main thread
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(timeout=30)
    assert not failed, failed
    assert not thread.is_alive()


def check(cluster: Cluster, world: World, clock: Clock) -> None:
    resync = Resync(cluster.observe, world, clock)
    for kind in CHECKED:
        resync.check(kind)


def all_told(cluster: Cluster, world: World, clock: Clock) -> bool:
    check(cluster, world, clock)
    return all(world.settled(kind) for kind in CHECKED)


@pytest.mark.timeout(120)
def test_what_was_deleted_in_a_gap_is_forgotten_and_a_dead_stream_is_found_out(cluster: Cluster) -> None:
    """A stream that begins anew lists what there is; nobody tells what was deleted meanwhile."""
    namespace = cluster.make_namespace()
    clock = FakeClock(SystemClock().now())
    world = World(clock)
    kept = cluster.make(objects.deployment("kept", namespace))
    gone = cluster.make(objects.deployment("gone", namespace))
    with listening(cluster, world):
        eventually(lambda: all_told(cluster, world, clock), "the cache has all that a list shows")
        assert scene_of(world, namespace, "Deployment", "gone").target is not None
    clock.step(1)
    where = rest("deployments", namespace, "apps/v1")
    cluster.admin.delete(f"{where}/gone", gone["metadata"]["uid"])
    scaled = [{"op": "replace", "path": "/spec/replicas", "value": 5}]
    cluster.admin.json_patch(f"{where}/kept", scaled, MANAGER)
    assert scene_of(world, namespace, "Deployment", "kept").unknown == ""
    check(cluster, world, clock)
    clock.step(BEHIND.total_seconds() + 1)
    assert "the watch stream of Deployments is behind" in scene_of(world, namespace, "Deployment", "kept").unknown
    assert scene_of(world, namespace, "Deployment", "gone").target is None
    check(cluster, world, clock)  # what the stream does not tell is read
    assert scene_of(world, namespace, "Deployment", "kept").unknown == ""
    assert (world.find("Deployment", namespace, "kept") or {})["spec"]["replicas"] == 5
    world.put("Deployment", gone)  # as it would be had nobody compared
    with listening(cluster, world):
        eventually(lambda: all_told(cluster, world, clock), "the cache has caught up")
    scene = scene_of(world, namespace, "Deployment", "kept")
    assert scene.unknown == ""
    assert scene.target is not None
    assert (scene.target["spec"]["replicas"], scene.target["metadata"]["uid"]) == (5, kept["metadata"]["uid"])
    assert [str(c) for c in Store(cluster.observe, world).changes(namespace, "Deployment", "kept", clock.now())] == [
        f"replicas {kept['spec']['replicas']} -> 5 (by {MANAGER})"
    ]


def test_nothing_of_ours_lands_on_what_is_followed(cluster: Cluster) -> None:
    namespace = cluster.make_namespace()
    made = cluster.make(objects.deployment("quiet", namespace))
    world = World(SystemClock())
    with listening(cluster, world):
        eventually(lambda: world.find("Deployment", namespace, "quiet") is not None, "it is told of")
    assert cluster.admin.get(rest("deployments", namespace, "apps/v1", "quiet")) == made
