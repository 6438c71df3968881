"""Secrets and personal data planted in everything that is read, through a whole look, a diagnosis and what comes after:
not one of them reaches the model, a log, a metric, an Event, the Incident or the memory.
"""

import itertools
import json
import logging
from types import SimpleNamespace

import pytest
from prometheus_client import REGISTRY, generate_latest
from tests.unit.builders import T0, deployment, event, pending_pod, running_pod, watch
from tests.unit.observe.test_injection import PLACES, Besieged, did, obeys

from hemostat.clock import FakeClock
from hemostat.diagnosis.redact import redact
from hemostat.memory.episode import text_of
from hemostat.observe.attend import Attendant
from hemostat.observe.desk import Desk
from hemostat.observe.look import Observer
from hemostat.signals.conversation import Talk, Trouble
from hemostat.signals.evaluate import Inputs
from hemostat.signals.loops.trail import Trail
from hemostat.signals.loops.verdict import Advice, Kind, Verdict, Visibility
from hemostat.signals.workload import Scene
from hemostat.telemetry.alerts import Alert, Standing
from hemostat.telemetry.graph import CallGraph, EdgeStats

CANARIES = {
    "password": ("psql: password=hunter2-canary was refused", "hunter2-canary"),
    "url": ("cannot reach postgres://app:s3cr3tCanary@db.shop.svc:5432/pay", "s3cr3tCanary"),
    "bearer": ("Authorization: Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJjYW5hcnkifQ.c2lnbmF0dXJl", "eyJzdWIiOi"),
    "aws": ("signed with AKIAIOSFODNN7CANARY7", "AKIAIOSFODNN7CANARY7"),
    "github": ("git clone failed, ghp_Ab1Cd2Ef3Gh4Ij5Kl6Mn7Op8Qr9St0Uv1Wx2 expired", "Ab1Cd2Ef3Gh4Ij5Kl6"),
    "email": ("no account of ann.canary@example.org", "ann.canary"),
    "phone": ("sms to +49 170 1234567 failed", "170 1234567"),
    "card": ("card 4111 1111 1111 1111 declined", "4111 1111 1111 1111"),
    "iban": ("transfer to DE89 3704 0044 0532 0130 00 failed", "3704 0044 0532"),
    "address": ("client 203.0.114.77 was reset", "203.0.114.77"),
}  # fmt: skip
WATCH = watch(
    signals=[
        {"name": "calls", "trace": {}},
        {"name": "pods", "workload": {}},
        {"name": "theirs", "alert": {}},
        {"name": "talks", "conversation": {}},
    ]
)


def everywhere(text, failures=60):
    """What a look finds, with the text in all of it."""
    alert = Alert("id", (("alertname", "Slow"), ("user", text)), resolved=False, ends=None, summary=text)
    began, pair = T0.timestamp(), ("planner", text)
    verdict = Verdict(Kind.CYCLE, Advice.CUT, "", text, pair, pair, 9, began, 90, Visibility.FULL, text)
    waiting = running_pod(ready=False, state={"waiting": {"reason": "CrashLoopBackOff", "message": text}}, restarts=9)
    scene = Scene(deployment(), pods=[waiting, pending_pod(text)], events=[event("Failed", text)])
    return Inputs(
        edges={"calls": [EdgeStats(text, "payment", 100, failures, 0.1, (text,))]},
        scene=scene,
        alerts={"theirs": [(alert, Standing.FIRING)]},
        talk=Talk([Trouble(verdict, goes_on=True, since=T0)], 5, heard=True),
    )


class Process:
    """All of `observe` but the network, fed with one text everywhere."""

    def __init__(self, text):
        around = {}
        for place in ("event", "caller in traces", "log", "last words", "label of a series", "past incident", "change"):
            around |= PLACES[place](text)
        office = self.office = Besieged(
            obeys("payment fails", "one"), **around, trail=Trail(text[:100], did(text, text))
        )
        office.api.items.clear()
        office.api.watch = lambda *_: WATCH
        office.api.write_watch = lambda _, status: self.published.append(status)
        self.published = []
        self.clock = FakeClock(T0)
        desk = Desk(office.api.incidents, lambda: CallGraph(60.0))
        attendant = Attendant(office.api, office.keeper, office.events, desk, self.clock)
        looks = itertools.count()
        gatherer = SimpleNamespace(fetch=lambda _: (everywhere(text, failures=0 if next(looks) < 3 else 60), []))
        self.observer = Observer(office.api, gatherer, attendant, office.events, self.clock)

    def run(self):
        for _ in range(12):
            self.observer.look(("shop", "payment"))
            for job in list(self.office.consultant._jobs.values()):
                assert job.coming.exception(timeout=5) is None
            self.clock.step(2.0)
        self.office.consultant.stop()
        (incident,) = self.office.api.items.values()
        return incident


def words(incident):
    """Return all that an Incident says; names by which signals and conversations are found again are not words."""
    found = incident.wire()
    for signal in found["status"]["signals"]:
        del signal["key"]
        signal.pop("conversation", None)
    for entry in found["status"]["timeline"]:
        del entry["id"]
    return json.dumps(found, ensure_ascii=False)


PIECE = 8


def pieces(canary):
    """Return all pieces of a canary that say something of it: half a secret is one."""
    least = min(PIECE, len(canary))
    return [canary[n : n + least] for n in range(len(canary) - least + 1)]


@pytest.mark.parametrize("kind", CANARIES)
def test_no_canary_gets_out(kind, caplog):
    text, canary = CANARIES[kind]
    with caplog.at_level(logging.DEBUG):
        process = Process(text)
        incident = process.run()
    office = process.office
    assert len(incident.status.signals) >= 4, "all sources fire"
    kinds = {e.kind.value for e in incident.status.evidence}
    assert kinds >= {"Signal", "Change", "Workload", "Exemplar", "Series", "Edge", "Event", "Log", "Step", "Episode"}
    assert len(office.model.asked) > 5
    outside = {
        "model": json.dumps(office.model.asked, ensure_ascii=False),
        "log": caplog.text,
        "metrics": generate_latest(REGISTRY).decode(),
        "events": str(office.events.counts),
        "incident": words(incident),
        "proposals": str([p.spec.model_copy(update={"conversations": ()}) for p in office.api.proposals]),
        "memory": text_of(incident, redact),
    }
    assert [(where, piece) for where, said in outside.items() for piece in pieces(canary) if piece in said] == []
    assert "REDACTED" in outside["model"], "it was read"
    assert "REDACTED" in outside["incident"]
