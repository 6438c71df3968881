"""Watched services in trouble, said briefly."""

from datetime import timedelta

from tests.unit.builders import T0, at, signal

from hemostat.api.incident import Incident, SignalSource, SignalState
from hemostat.api.meta import BoundTargetRef, LocalRef
from hemostat.api.watch import SignalKind
from hemostat.clock import rfc3339
from hemostat.signals.correlate import Report, Suspect

FIRING, CLEAR, NO_DATA = SignalState.FIRING, SignalState.CLEAR, SignalState.NO_DATA
POD = {"kind": SignalKind.WORKLOAD, "source": SignalSource.WORKLOAD, "subject": "pods", "name": "pods"}
CPU = {"kind": SignalKind.SATURATION, "source": SignalSource.PROMETHEUS, "subject": "cpu", "name": "cpu"}


def target(name):
    return BoundTargetRef(name=name, uid=f"uid-{name}")


def watched(name):
    return LocalRef(name=name, uid=f"uid-watch-{name}")


def call(caller, callee, when=0.0, **changed):
    """The calls of one caller fail, as the callee's Watch sees it."""
    fields = {"subject": f"{caller} -> {callee}", "first_fired_time": at(when), "state_time": at(when)}
    return signal(f"calls/errors/{caller}->{callee}", **(fields | changed))


def sick(name, *signals, when=0.0, **more):
    """A suspect; without signals, `someone` complains about it."""
    return Suspect(watched(name), target(name), name, signals or (call("someone", name, when),), **more)


def report(name, *signals, fresh=True, **more):
    fields = {"service": name, "interval": timedelta(seconds=5)} | more
    return Report(watch=watched(name), target=target(name), signals=signals, fresh=fresh, **fields)


def incident_of(name, *, called="", part_of="", resolved=None, symptoms=(), opened=0.0, reopened=None):
    """An Incident as the API server has it."""
    state = {} if resolved is None else {"lastTransitionTime": rfc3339(at(resolved))}
    condition = {"type": "Resolved", "status": str(resolved is not None), "reason": "X"} | (
        state or {"lastTransitionTime": rfc3339(T0)}
    )
    shown = [
        call("someone", w, watch_ref=watched(w), target_ref=target(w)).model_copy(update={"key": f"{w}:k"}).wire()
        for w in symptoms
    ]
    status = {"conditions": [condition], "signals": shown}
    status |= {"partOf": {"name": part_of}} if part_of else {}
    status |= {"reopened": {"count": 1, "time": rfc3339(at(reopened))}} if reopened is not None else {}
    return Incident.model_validate(
        {
            "metadata": {"name": called or f"{name}-1", "namespace": "shop", "uid": f"uid-{called or name}"},
            "spec": {
                "watchRef": watched(name).wire(),
                "targetRef": target(name).wire(),
                "fingerprint": "0" * 16,
                "title": "it fails",
                "startedTime": rfc3339(at(opened)),
                "openedTime": rfc3339(at(opened)),
            },
            "status": status,
        }
    )
