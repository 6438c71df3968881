"""Whose service a Watch may name: telemetry of another namespace is not read by writing its name down."""

import pytest
from tests.unit.builders import at, deployment, pod, watch

from hemostat.api.meta import find
from hemostat.clock import FakeClock
from hemostat.observe.memory import Memory
from hemostat.observe.standing import status_after
from hemostat.observe.store import Store
from hemostat.observe.world import World
from hemostat.signals.evaluate import Inputs, WatchState, look
from hemostat.signals.workload import Scene


def store(*workloads, service=None, shared=()):
    """Return the store, and a Watch of namespace `shop` that names this service; workloads are (namespace, name)."""
    world = World(FakeClock(at(0)))
    for namespace, name in workloads:
        found = deployment()
        meta = {**found["metadata"], "name": name, "namespace": namespace, "uid": f"uid-{namespace}-{name}"}
        world.put("Deployment", {**found, "metadata": meta})
    world.put("Watch", watch(**({"service": service} if service else {})).wire())
    return Store(None, world, shared)


OWN, BANK = ("shop", "payment"), ("bank", "ledger")


@pytest.mark.parametrize(
    ("workloads", "service", "shared", "seen"),
    [
        ((OWN, BANK), "ledger", (), None),
        ((OWN, BANK), "ledger", ("ledger",), "ledger"),
        ((OWN, BANK), "ledger", ("*",), "*"),
        ((OWN, BANK, ("shop", "ledger")), "ledger", (), "ledger"),
        ((OWN, BANK), "pay-frontend", (), "pay-frontend"),
        ((OWN, BANK), "ledger.bank.svc.cluster.local", (), None),
        ((OWN, BANK), "payment.shop.svc", (), "payment.shop.svc"),
        ((OWN, ("bank", "payment")), None, (), None),
    ],
)
def test_another_namespace_s_service_is_not_looked_at(workloads, service, shared, seen):
    of = store(*workloads, service=service, shared=shared)
    found = of.watch("shop", "payment")
    refused = of.foreign("shop", "payment")
    assert found.spec.service == (service if seen else None)
    assert bool(refused) == (service is not None and seen is None)
    assert not refused or ("bank" in refused and "HEMOSTAT_SHARED_SERVICES" in refused)


def test_the_watch_says_so():
    foreign = store(OWN, BANK, service="ledger").foreign("shop", "payment")
    of = watch()
    inputs = Inputs(scene=Scene(deployment(), pods=[pod()]))
    seen = look(of.spec, inputs, WatchState(), at(0))
    ready = find(status_after(of, Memory(), seen, inputs, [("ForeignService", foreign)], at(0)).conditions, "Ready")
    assert (ready.status, ready.reason, "ledger is of namespace bank" in ready.message) == (
        "False",
        "ForeignService",
        True,
    )
