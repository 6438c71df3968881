"""Consults the panel: specialists at the same time, each with its own tools, then the aggregator (shell)."""

import logging
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date

from hemostat import metrics
from hemostat.api.incident import Used
from hemostat.diagnosis.answer import Asks
from hemostat.diagnosis.panel import prompt
from hemostat.diagnosis.panel.case import Case
from hemostat.diagnosis.panel.consultation import Consultation
from hemostat.diagnosis.panel.grounding import REASONS, Grounded, borne, ground, told
from hemostat.diagnosis.panel.meter import Meter, Record, nowhere
from hemostat.diagnosis.panel.reply import Claim, Finding, Verdict
from hemostat.diagnosis.panel.roster import Specialist, assign
from hemostat.diagnosis.panel.session import Failed, Session
from hemostat.diagnosis.panel.tools import Pad, Tool
from hemostat.errors import HemostatError
from hemostat.guard.clock import Clock
from hemostat.progress.step import Listener, nobody

LOG = logging.getLogger(__name__)
AGGREGATOR = "aggregator"
NOT_USED = Used()


class Panel:
    """Consults. One is made per process; several threads may use it.

    :param listener: is told of every step, as it is taken.
    """

    def __init__(self, asks: Asks, meter: Meter, clock: Clock, listener: Listener = nobody) -> None:
        self._asks, self._meter, self._clock = asks, meter, clock
        self._listener = listener
        for reason in REASONS:
            metrics.MODEL_DROPPED.labels(reason)

    def consult(
        self,
        case: Case,
        pad: Pad,
        tools: Mapping[str, Tool],
        used: Used = NOT_USED,
        record: Record = nowhere,
        permitted: Callable[[], str] = lambda: "",
        namespace: str = "",
        earlier: Callable[[date], tuple[int, float]] = lambda _: (0, 0.0),
    ) -> Consultation:
        """Ask specialists and aggregator. What models and providers do wrong is in the result, not raised.

        :param pad: holds the Incident's evidence, and takes what is looked up.
        :param tools: what may be looked up about this case; a specialist gets its own, of kinds that may leave.
        :param used: what was used about this Incident before, as far as it is written down.
        :param record: writes down what is going to be used.
        :param permitted: says why the case may not leave any more, empty while it may; asked before each request.
        :param namespace: whose bound of the day counts.
        :param earlier: what other processes used in it on a day, in tokens and US dollars. Raises `HemostatError`.
        """
        try:
            self._meter.opens(namespace, earlier)
        except HemostatError as error:
            failure = ("NotCounted", f"what was used today is not known: {error}"[:1024])
            return Consultation(None, failure=failure)
        self._meter.begin(case.incident, used, record, namespace)
        try:
            return self._consulted(case, pad, tools, permitted)
        finally:
            self._meter.end(case.incident)

    def _consulted(self, case: Case, pad: Pad, tools: Mapping[str, Tool], permitted: Callable[[], str]) -> Consultation:
        session = Session(self._asks, self._meter, self._clock, case.incident, self._listener, permitted)
        may = {name: tool for name, tool in tools.items() if tool.kind in pad.allowed}
        found, silent, dropped = self._findings(session, case, pad, may)
        verdict, failure = None, None
        claims: tuple[Claim, ...] = ()
        try:
            asked = prompt.aggregator(replace(case, evidence=pad.shown), found)
            verdict = session.reply(AGGREGATOR, Verdict, asked, {}, pad)
            verdict, unborne = borne(verdict, pad.shown, {c.runbook for c in case.candidates})
            grounded = ground(verdict.claims, pad.shown, case.since)
            grounded = Grounded(grounded.claims, grounded.dropped + unborne)
            claims, dropped = grounded.claims, dropped + grounded.dropped
            session.tell(AGGREGATOR, "Concluded", _stated(grounded))
        except Failed as failed:
            failure = (failed.reason, str(failed))
            session.tell(AGGREGATOR, "Failed", failed.reason)
        for reason, count in dropped.items():
            metrics.MODEL_DROPPED.labels(reason).inc(count)
        return Consultation(
            verdict, claims, dropped, pad.looked_up, silent, session.usage, tuple(session.models), failure, session.last
        )

    def _findings(
        self, session: Session, case: Case, pad: Pad, may: Mapping[str, Tool]
    ) -> tuple[dict[str, tuple[Claim, ...]], dict[str, str], Counter[str]]:
        """Return what each specialist states as far as the evidence bears it, who was silent, and what was dropped."""
        found: dict[str, tuple[Claim, ...]] = {}
        silent: dict[str, str] = {}
        dropped: Counter[str] = Counter()
        members = assign(case)
        names = ", ".join(of.name for of in members) or "no specialist, only the aggregator"
        routed = f"{names}: {len(case.evidence)} items of evidence, {len(case.candidates)} Runbooks match"
        session.tell("router", "Routed", routed)
        if not members:
            return found, silent, dropped

        def work(of: Specialist) -> Grounded:
            tools = {n: t for n, t in may.items() if n in of.tools}
            try:
                reply = session.reply(of.name, Finding, prompt.specialist(of, case), tools, pad)
            except Failed as failed:
                session.tell(of.name, "Silent", failed.reason)
                raise
            grounded = ground(reply.claims, of.sees(pad.shown))
            session.tell(of.name, "Replied", _stated(grounded))
            return grounded

        with ThreadPoolExecutor(len(members), "panel") as pool:
            works = [(of, pool.submit(work, of)) for of in members]
        for of, future in works:
            try:
                grounded = future.result()
            except Failed as failed:
                silent[of.name] = f"{failed.reason}: {failed}"
                LOG.info("specialist %s of %s is silent: %s", of.name, case.incident, silent[of.name])
                continue
            found[of.name] = grounded.claims
            dropped += grounded.dropped
        return found, silent, dropped


def _stated(grounded: Grounded) -> str:
    why = f" ({told(grounded.dropped)})" if grounded.dropped else ""
    return f"{len(grounded.claims)} statements, {grounded.dropped.total()} dropped{why}"
