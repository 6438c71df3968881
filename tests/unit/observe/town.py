"""A namespace in memory: services that call each other, their Watches, and both processes as far as Incidents go.

Time is virtual. A service is bad while it is faulty or calls a bad one; a Watch sees that some seconds later.
"""

import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tests.unit.builders import at, runbook, signal, watch

from hemostat.api.incident import Incident, SignalState
from hemostat.api.remediation import Remediation
from hemostat.clock import FakeClock
from hemostat.diagnosis.propose import Proposal
from hemostat.kube import Conflict
from hemostat.lifecycle import incident_conditions
from hemostat.observe.attend import Attendant
from hemostat.observe.desk import Desk
from hemostat.observe.incident import IncidentKeeper
from hemostat.observe.memory import Memory, recall
from hemostat.signals.correlate import Draft, is_over
from hemostat.signals.evaluate import Inputs, Look
from hemostat.signals.workload import Scene
from hemostat.telemetry.graph import CallGraph, EdgeStats

FIRING, CLEAR, NO_DATA = SignalState.FIRING, SignalState.CLEAR, SignalState.NO_DATA
LOOK_SECONDS = 2.0
START, LONG_AGO = at(0), at(-600)


class Api:
    """Hemostat's own objects, and how many requests were needed. Behaves as `hemostat.observe.store.Store`."""

    def __init__(self, clock):
        self.clock = clock
        self.items: dict[str, Incident] = {}
        self.proposals: list[Proposal] = []
        self.done: dict[str, Remediation] = {}
        self.puts = self.lists = self.gets = self.writes = self.creates = 0
        self.books = [runbook()]
        self.noted = []
        """Changes at any target."""

    def incidents(self, namespace):
        self.lists += 1
        return list(self.items.values())

    def incident(self, namespace, name):
        self.gets += 1
        return self.items.get(name)

    def open(self, namespace, draft: Draft):
        self.creates += 1
        if draft.name not in self.items:
            meta = {"name": draft.name, "namespace": namespace, "uid": f"uid-{draft.name}-{self.creates}"}
            self.items[draft.name] = Incident.model_validate({"metadata": meta, "spec": draft.spec.wire()})
        return self.items[draft.name]

    def write_incident(self, incident, status):
        self.writes += 1
        if incident.metadata.name not in self.items:
            raise Conflict("it is gone")
        theirs = [c for c in self.items[incident.metadata.name].status.conditions if c.type in ACTS]
        mine = [c for c in status.conditions if c.type not in ACTS]
        apart = {"usage": self.items[incident.metadata.name].status.usage}  # of a manager of its own
        self.put(incident, status.model_copy(update={"conditions": (*mine, *theirs)} | apart))

    def write_usage(self, meta, used):
        found = self.items[meta.name]
        self.items[meta.name] = found.model_copy(update={"status": found.status.model_copy(update={"usage": used})})

    def put(self, incident, status):
        """Keep it; every hundredth as it would come over the wire."""
        self.puts += 1
        found = incident.model_copy(update={"status": status})
        self.items[incident.metadata.name] = found if self.puts % 100 else Incident.model_validate(found.wire())

    def runbooks(self, namespace):
        return self.books

    def remediations(self, incident):
        return [r for r in self.done.values() if r.spec.incident_ref.uid == incident.metadata.uid]

    def propose(self, namespace, proposal):
        if all(p.name != proposal.name for p in self.proposals):
            self.proposals.append(proposal)

    def changes(self, *asked):
        return self.noted

    def service_changes(self, *asked):
        return {}


ACTS = ("Remediated", "Verified", "Resolved")


class Told:
    """Events, counted as the API server would hold them."""

    def __init__(self):
        self.counts = {}

    def emit(self, kind, meta, reason, message, level="Normal"):
        key = (meta.name, reason, message)
        self.counts[key] = self.counts.get(key, 0) + 1

    def of(self, reason):
        return {k: n for k, n in self.counts.items() if k[1] == reason}


@dataclass
class Seen:
    """What one Watch knows of its service."""

    lag: float
    bad_since: datetime | None = None
    state: SignalState = CLEAR
    state_time: datetime = LONG_AGO
    first: datetime | None = None
    next_look: datetime = START
    memory: Memory | None = None


@dataclass
class Town:
    services: list[str]
    edges: list[tuple[str, str]]
    seed: int = 0
    lag: float = 5.0
    """A Watch needs up to as many seconds to fire, and again to clear."""
    per_watch: int = 1
    """Signals of one Watch that fire together."""
    faulty: set[str] = field(default_factory=set)
    changed: dict[str, datetime] = field(default_factory=dict)

    def __post_init__(self):
        self.random = random.Random(self.seed)
        self.clock = FakeClock(at(0))
        self.api = Api(self.clock)
        self.events = Told()
        self.watches = {s: watch(s, target={"name": s}) for s in self.services}
        self.callers = {}
        for caller, callee in self.edges:
            self.callers.setdefault(callee, []).append(caller)
        self.spread = (set(), set())
        """Who is faulty, and who is bad because of that: asked at every look."""
        self.uids: dict[str, str] = {}
        """Targets whose uid is not what it was; an empty one is not there."""
        self.unknown = ""
        """Why nothing can be said of the targets."""
        self.seen = {s: Seen(self.random.random() * self.lag) for s in self.services}
        for s in self.seen.values():
            s.next_look = at(self.random.random() * LOOK_SECONDS)
        self.restart()

    def restart(self):
        """A new process: it knows what the API server knows."""
        self.desk = Desk(self.api.incidents, self.graph)
        keeper = IncidentKeeper(self.api, self.events, "observe")
        self.attendant = Attendant(self.api, keeper, self.events, self.desk, self.clock)
        for name, seen in self.seen.items():
            seen.memory = recall(self.watches[name], list(self.api.items.values()), self.clock.now())

    def graph(self):
        return CallGraph(60, tuple(EdgeStats(a, b, 100, 0, 0.01, ()) for a, b in sorted(self.edges)))

    # --- time passes -----------------------------------------------------------------------------------------

    def run(self, seconds, step=1.0):
        for _ in range(round(seconds / step)):
            now = self.clock.step(step)
            bad = self.bad()
            for name in self.services:
                self.sense(name, name in bad, now)
            order = [n for n in self.services if self.seen[n].next_look <= now]
            self.random.shuffle(order)
            for name in order:
                self.look(name)
            self.act(now)
            self.check()

    def recover(self, within):
        """Nobody is faulty any more: run until everything is over, and for half a minute in which it has to stay so."""
        self.faulty = set()
        for _ in range(0, within, 10):
            if not self.open():
                break
            self.run(10)
        self.run(30)
        assert self.open() == {}

    def bad(self):
        if self.spread[0] != self.faulty:
            self.spread = (set(self.faulty), self.affected())
        return self.spread[1]

    def affected(self):
        found, todo = set(), list(self.faulty)
        while todo:
            name = todo.pop()
            if name not in found:
                found.add(name)
                todo += self.callers.get(name, ())
        return found

    def sense(self, name, bad, now):
        """Debounce as a real signal: it fires or clears once the service is bad or well for its lag."""
        seen = self.seen[name]
        if bad == (seen.state is FIRING):
            seen.bad_since = None
            return
        seen.bad_since = seen.bad_since or now
        if now - seen.bad_since >= timedelta(seconds=seen.lag):
            seen.state, seen.state_time, seen.bad_since = (FIRING if bad else CLEAR), now, None
            if bad:
                seen.first = now

    def look(self, name):
        seen, now = self.seen[name], self.clock.now()
        uid = self.uids.get(name, f"uid-{name}")
        target = {"kind": "Deployment", "metadata": {"name": name, "uid": uid}, "spec": {}, "status": {}}
        scene = Scene(target if uid else None, self.unknown)
        signals = self.signals(name, now)
        look = Look(state=seen.memory.state, signals=signals, notes={}, dropped=0, lasts=name in self.bad())
        self.attendant.attend(self.watches[name], seen.memory, Inputs(scene=scene), look, now)
        seen.next_look = now + timedelta(seconds=LOOK_SECONDS if seen.memory.incident else 5.0)

    def signals(self, name, now):
        seen = self.seen[name]
        outside = [f"outside{i}" for i in range(self.per_watch)]
        callers = self.callers.get(name, outside)[: self.per_watch]
        return tuple(
            signal(
                f"calls/errors/{caller}->{name}",
                subject=f"{caller} -> {name}",
                state=seen.state,
                state_time=seen.state_time,
                first_fired_time=seen.first or now,
                observed_time=now,
            )
            for caller in callers
        )

    def act(self, now):
        """The other process: it sums up every Incident."""
        for incident in list(self.api.items.values()):
            if is_over(incident):
                continue
            cause = incident.status.part_of
            parent = self.api.items.get(cause.name) if cause is not None else None
            found = incident_conditions(incident, self.api.remediations(incident), now, parent)
            mine = [c for c in incident.status.conditions if c.type not in ACTS]
            if found == tuple(c for c in incident.status.conditions if c.type in ACTS):
                continue
            self.api.put(incident, incident.status.model_copy(update={"conditions": (*mine, *found)}))

    # --- what is seen ----------------------------------------------------------------------------------------

    def open(self):
        return {i.spec.target_ref.name: i for i in self.api.items.values() if not is_over(i)}

    def all(self, name):
        return [i for i in self.api.items.values() if i.spec.target_ref.name == name]

    def check(self):
        """What must hold at any moment."""
        items = [i for i in self.api.items.values() if not is_over(i)]
        prints = [i.spec.fingerprint for i in items]
        assert len(prints) == len(set(prints)), "two open Incidents of one target"
        parents = {i.metadata.name: i.status.part_of.name for i in items if i.status.part_of is not None}
        for name in parents:
            seen = {name}
            while name in parents:
                name = parents[name]
                assert name not in seen, f"blame goes in a circle: {parents}"
                seen.add(name)


def targets(incident):
    """Return the names of the workloads whose signals the Incident shows besides its own."""
    return {s.target_ref.name for s in incident.status.signals if s.target_ref is not None}
