"""Gathers what one look needs: the last answers of Prometheus, edges, the target and what it depends on (shell)."""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from hemostat.api.watch import Watch, effective_signals
from hemostat.observe.poll import Poller
from hemostat.observe.store import Store
from hemostat.observe.talks import Talks
from hemostat.observe.topic import Question
from hemostat.signals import covered, slo
from hemostat.signals.alert import Told, concerns
from hemostat.signals.conversation import Talk
from hemostat.signals.evaluate import Inputs
from hemostat.signals.metric import look_back
from hemostat.signals.presets import Target, mounted, rules_of
from hemostat.signals.rules import Rule
from hemostat.telemetry.backlog import Backlog
from hemostat.telemetry.graph import AgentStats, EdgeStats
from hemostat.telemetry.webhook import Webhook
from hemostat.telemetry.window import TraceWindows

Problem = tuple[str, str]
"""Reason and message of what could not be fetched."""
Key = tuple[str, str]
SERVICES = 'too many services send spans: those of others are refused (hemostat_otlp_dropped{reason="services"})'
STEPS = (
    "agents send more steps than can be read: requests are refused for a while and must be sent again, and what a "
    "sender gives up is not seen (hemostat_otlp_requests_total): sample, or send less content"
)


@dataclass(frozen=True, slots=True)
class Gatherer:
    """Reads every source once a look, and waits for none of the slow ones."""

    store: Store
    poller: Poller
    windows: TraceWindows
    lock: threading.Lock
    webhook: Webhook
    talks: Talks
    backlog: Backlog
    _asked: dict[Key, tuple[object, tuple[Rule, ...]]] = field(default_factory=dict)
    """Per Watch: what its rules were made of, and the rules."""

    def fetch(self, watch: Watch) -> tuple[Inputs, list[Problem]]:
        """Return what could be read, and what could not."""
        namespace, target = watch.metadata.namespace or "", watch.spec.target
        scene = self.store.scene(namespace, target)
        key = (namespace, watch.metadata.name)
        service = watch.spec.service or target.name
        talking = [s.conversation for s in effective_signals(watch.spec) if s.conversation is not None]
        asked = covered.query(service) if talking and self.talks.heard(service) else ""
        rules = self._want(key, watch, Target(namespace, target, *mounted(scene.pods)), asked)
        vectors, problems = self.poller.read(key)
        if foreign := self.store.foreign(*key):
            problems.append(("ForeignService", foreign))
        edges, agents, refused = self._traces(watch, service)
        if talking:
            talk = self.talks.about(key, service, talking)
        else:  # who does not ask takes no trouble away from the others who take part
            self.talks.forget(key)
            talk = Talk()
        metered = vectors.get(asked)
        if metered is not None and metered.series:
            talk = replace(talk, coverage=replace(talk.coverage, metered=metered.series[0].value))
        bad = self.poller.bad(key)
        found = Inputs(vectors, edges, scene, rules, agents, self._alerts(watch), talk, refused, bad_queries=bad)
        return found, problems

    def forget(self, key: Key) -> None:
        """Ask nothing more for a Watch that was deleted."""
        self.poller.forget(key)
        self.talks.forget(key)
        self._asked.pop(key, None)

    def _want(self, key: Key, watch: Watch, target: Target, metered: str) -> tuple[Rule, ...]:
        made_of = (watch.spec, target, metered)
        known = self._asked.get(key)
        if known is not None and known[0] == made_of:
            return known[1]
        rules = rules_of(watch.spec, target)
        more = [Question(metered, covered.ASKED_SECONDS, expected=False)] if metered else []
        self.poller.want(key, [*questions(watch, rules), *more])
        self._asked[key] = (made_of, rules)
        return rules

    def _alerts(self, watch: Watch) -> dict[str, Sequence[Told]]:
        """Return, per signal that wants them, the alerts that are about the target."""
        namespace, target = watch.metadata.namespace or "", watch.spec.target
        found: dict[str, Sequence[Told]] = {}
        for signal in effective_signals(watch.spec):
            if (wanted := signal.alert) is not None:
                known = self.webhook.about(wanted.names, namespace)
                found[signal.name] = [told for told in known if concerns(told[0], wanted, namespace, target)]
        return found

    def _traces(
        self, watch: Watch, service: str
    ) -> tuple[dict[str, Sequence[EdgeStats]], dict[str, Sequence[AgentStats]], str]:
        """Return edges and agents, per signal that wants them, and what is refused; keep room for its own."""
        edges: dict[str, Sequence[EdgeStats]] = {}
        agents: dict[str, Sequence[AgentStats]] = {}
        with self.lock:
            now = time.monotonic()
            self.windows.keep(service, now)
            reading, crowded = self.windows.read(now), self.windows.refuses(now)
        signals = effective_signals(watch.spec)
        counted = any(s.trace or s.agent for s in signals)
        asked = counted or any(s.conversation for s in signals)
        refused = ((SERVICES, counted and crowded), (STEPS, asked and self.backlog.refuses(now)))
        for signal in signals:
            if signal.trace is not None:
                edges[signal.name] = reading.into(service, signal.trace.window_seconds)
            elif signal.agent is not None:
                agents[signal.name] = reading.agents(service, signal.agent.window_seconds)
        return edges, agents, "; ".join(words for words, true in refused if true)


def questions(watch: Watch, rules: Sequence[Rule]) -> list[Question]:
    """Return what must be asked for these rules and the Watch's objectives, each query once (pure)."""
    interval = float(watch.spec.interval_seconds)
    found: dict[str, Question] = {}
    names: dict[str, list[str]] = {}
    for rule in rules:
        question = Question(rule.query, rule.every_seconds, look_back(rule), rule.expected)
        found.setdefault(rule.query, question)
        names.setdefault(rule.query, []).append(rule.name)
    for signal in effective_signals(watch.spec):
        if signal.slo is not None:
            for query, every in slo.queries(signal.slo).items():
                found.setdefault(query, Question(query, max(interval, every)))
                names.setdefault(query, []).append(signal.name)
    return [replace(question, signals=tuple(dict.fromkeys(names[query]))) for query, question in found.items()]
