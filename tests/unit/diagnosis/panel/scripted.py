"""A model that replies by script, and cases to ask it about."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from threading import Lock

from hemostat.api.incident import Evidence, EvidenceKind
from hemostat.diagnosis.answer import Answer, Call, Spent, freely
from hemostat.diagnosis.panel.case import Candidate, Case
from hemostat.errors import HemostatError

NOW = datetime(2026, 11, 22, tzinfo=UTC)
K = EvidenceKind


class Clock:
    """Stands still until somebody works."""

    def __init__(self):
        self.now = 1000.0

    def monotonic(self):
        return self.now

    def time_ns(self):
        return int(self.now * 1e9)


class Scripted:
    """Replies with what a function of the messages says: text, a tuple of calls, or an error."""

    def __init__(self, reply: Callable[[list], object], tokens=(100, 10), usd=0.01, takes=0.0, clock=None):
        self.reply, self.tokens, self.usd, self.takes, self.clock = reply, tokens, usd, takes, clock
        self.asked: list[list] = []
        self.offered: list[list[str]] = []
        self.lock = Lock()

    def ask(self, messages, *, schema, tools, deadline, before=freely):
        before(Spent())
        with self.lock:
            self.asked.append(list(messages))
            self.offered.append([t.name for t in tools])
            if self.clock is not None:
                self.clock.now += self.takes
        said = self.reply(list(messages))
        if isinstance(said, HemostatError):
            raise said
        calls = said if isinstance(said, tuple) else ()
        return Answer("" if calls else str(said), calls, *self.tokens, 0, self.usd, "scripted/one")


def is_aggregator(messages):
    return "You conclude." in messages[0]["content"]


def claim(text="it fails", entity="payment", cites=("E1",)):
    return {"text": text, "entity": entity, "cites": list(cites)}


def finding(*claims):
    return json.dumps({"claims": list(claims)})


def verdict(runbook="bad-rollout", *claims, confidence=80, cause="a bad rollout", ruled_out=()):
    said = {"runbook": runbook, "cause": cause, "confidence": confidence, "claims": list(claims or (claim(),))}
    return json.dumps({**said, "ruled_out": list(ruled_out)})


def call(name, n=1, **arguments):
    return Call(f"call{n}", name, json.dumps(arguments))


def evidence(number, kind=K.SIGNAL, subject="payment", summary="payment fails", key=""):
    return Evidence(
        id=f"E{number}", key=key or f"{kind}/{number}", kind=kind, subject=subject, summary=summary, observed_time=NOW
    )


def case(*items, candidates=("bad-rollout",), withheld=None):
    return Case(
        incident="uid-1",
        title="payment fails",
        target="Deployment payment in namespace shop",
        evidence=items or (evidence(1), evidence(2, K.CHANGE, summary="revision 2 of payment began")),
        withheld=withheld or {},
        candidates=tuple(Candidate(name, f"cause of {name}", "look", ("rollback",), 75) for name in candidates),
        since=NOW,
    )
