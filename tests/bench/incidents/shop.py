"""Faults of the sample shop, as its callers and its own numbers show them; what goes before them as noise (pure)."""

from collections.abc import Iterator
from dataclasses import dataclass

SHOP_WATCHED = ("frontend", "checkout", "inventory")
"""Beside those that the demonstration watches."""
Arguments = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Run:
    """One fault to be recorded."""

    kind: str
    number: int
    target: str
    """The workload that the Incident must be about; empty: whichever leads."""
    signals: frozenset[str]
    """Kinds of signals, one of which must fire."""
    inflict: tuple[Arguments, ...]
    """kubectl's arguments, without the namespace."""
    undo: tuple[Arguments, ...] = ()
    noise: tuple[Arguments, ...] = ()
    """What happens 20 s before, and is no fault."""
    within_seconds: float = 90.0

    @property
    def told(self) -> str:
        """Return what was done, in words."""
        said = "; ".join(f"kubectl {' '.join(a)}" for a in self.inflict)
        before = "; ".join(f"kubectl {' '.join(a)}" for a in self.noise)
        return f"{said}; 20 s before: {before}" if before else said


_REPLICAS = {"payment": 2, "inventory": 1}
_CALLS = frozenset({"ErrorRate", "Latency"})
_ANY = _CALLS | {"Workload", "Saturation", "Exhaustion"}


def runs() -> Iterator[Run]:
    """Yield them in order: as long as no service was rolled out, then what is a rollout itself."""
    yield _gone(1, "payment")
    yield _blip(1, "payment")
    yield _burst(1, ("SHOP_RPS=24",))
    yield _blip(2, "catalog")
    yield _burst(2, ("SHOP_RPS=30",))
    yield _gone(2, "inventory")
    yield _burst(3, ("SHOP_RPS=22", "SHOP_BUY_PERCENT=10"))
    yield _blip(3, "checkout")
    yield _burst(4, ("SHOP_RPS=26",), (_env("payment", "SHOP_VERSION=1.1"),))
    yield _rollout("rollout-errors", 1, "payment", "SHOP_FAIL_PERCENT=60")
    yield _rollout("rollout-latency", 1, "inventory", "SHOP_EXTRA_LATENCY_MS=1500")
    yield _rollout("rollout-refused-setting", 1, "payment", "SHOP_WORKERS=none", signals=_ANY)
    yield _rollout("rollout-halves-capacity", 1, "catalog", "SHOP_WORKERS=1", signals=_ANY)
    yield _rollout("memory-leak", 1, "inventory", "SHOP_LEAK_MB_PER_SECOND=8", signals=_ANY)
    yield _rollout("rollout-errors", 2, "checkout", "SHOP_FAIL_PERCENT=25")
    yield _rollout("rollout-latency", 2, "payment", "SHOP_EXTRA_LATENCY_MS=800")
    yield _rollout("rollout-refused-setting", 2, "inventory", "SHOP_NO_SUCH_SETTING=1", signals=_ANY)
    yield _rollout("rollout-halves-capacity", 2, "catalog", "SHOP_WORK_MS=420", signals=_ANY)
    yield _rollout(
        "rollout-errors", 3, "inventory", "SHOP_FAIL_PERCENT=40", (("scale", "deployment/frontend", "--replicas=3"),)
    )
    yield _rollout("memory-leak", 2, "payment", "SHOP_LEAK_MB_PER_SECOND=4", signals=_ANY)
    yield _rollout("rollout-latency", 3, "catalog", "SHOP_EXTRA_LATENCY_MS=700")
    yield _rollout("rollout-errors", 4, "catalog", "SHOP_FAIL_PERCENT=35", (_env("checkout", "SHOP_VERSION=1.1"),))


def _env(service: str, *settings: str) -> Arguments:
    return ("set", "env", f"deployment/{service}", *settings)


def _rollout(
    kind: str,
    number: int,
    service: str,
    setting: str,
    noise: tuple[Arguments, ...] = (),
    *,
    signals: frozenset[str] = _CALLS,
) -> Run:
    name = setting.split("=")[0]
    before = {"SHOP_WORKERS": "2" if service == "catalog" else "", "SHOP_WORK_MS": "214"}.get(name, "")
    undo = _env(service, f"{name}={before}" if before else f"{name}-")
    return Run(kind, number, service, signals, (_env(service, setting),), (undo,), noise, 150.0)


def _burst(number: int, settings: tuple[str, ...], noise: tuple[Arguments, ...] = ()) -> Run:
    usual = ("SHOP_RPS=12", *(["SHOP_BUY_PERCENT-"] if len(settings) > 1 else []))
    undo = (_env("load", *usual),)
    return Run("traffic-burst", number, "catalog", frozenset({"Saturation"}), (_env("load", *settings),), undo, noise)


def _gone(number: int, service: str) -> Run:
    none, usual = (("scale", f"deployment/{service}", f"--replicas={n}") for n in (0, _REPLICAS[service]))
    return Run("dependency-gone", number, "", _CALLS, (none,), (usual,))


def _blip(number: int, service: str) -> Run:
    selector = f"app.kubernetes.io/name={service}"
    kill = ("delete", "pods", "-l", selector, "--grace-period=0", "--force", "--wait=false")
    # once may pass unnoticed; what takes their place is deleted too
    return Run("blip", number, service, _CALLS | {"Workload"}, (kill,) * 3, within_seconds=45.0)
