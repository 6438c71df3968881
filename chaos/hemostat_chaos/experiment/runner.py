"""Runs one ChaosExperiment from the steady state to the clean-up (shell)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from hemostat.api.chaosexperiment import ChaosExperiment
from hemostat.api.incident import Incident
from hemostat.api.meta import is_true
from hemostat.api.remediation import APPLIED, Remediation
from hemostat.cli.follow import News
from hemostat.cli.text import clean
from hemostat.cli.timeline import Line, timeline, waiting_for_a_person
from hemostat.clock import rfc3339
from hemostat.errors import HemostatError, Refused, Retry
from hemostat.kube import Kube
from hemostat.signals.correlate import began, openings
from hemostat_chaos.agents.lab import Lab
from hemostat_chaos.experiment import people, verdict
from hemostat_chaos.experiment.conversations import ConversationsInjection
from hemostat_chaos.experiment.injection import Injection, RolloutInjection
from hemostat_chaos.experiment.record import CLEANED_UP, INJECTED, PASSED, STEADY, Record, Result
from hemostat_chaos.experiment.steady import unsteady
from hemostat_chaos.experiment.waiting import POLL_SECONDS, TimedOut, Waiter
from hemostat_chaos.experiment.world import World

Json = dict[str, Any]
STEADY_DEADLINE_SECONDS = 120.0
CLEANUP_DEADLINE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Options:
    """Who approves, and what happens at which moment."""

    approver: Kube | None = None
    """Approves what waits for a person; None: somebody else has to."""
    refused: Kube | None = None
    """Tries first and must be refused by the API server."""
    steady_deadline_seconds: float = STEADY_DEADLINE_SECONDS
    at: Callable[[str], None] = lambda _moment: None
    """Called at the moments `injection`, `approval`, `stopped` (conversations of agents) and `end`."""
    lab: Lab | None = None
    """The way to the sample agents, for faults of theirs."""


@dataclass(slots=True)
class _Run:
    """What one run has seen so far."""

    record: Record
    injection: Injection
    before: frozenset[str]
    """Names of the Incidents there were before."""
    injected: datetime
    news: News = field(default_factory=News)
    incident: Incident | None = None
    incident_seen: datetime | None = None
    remediations: tuple[Remediation, ...] = ()
    approved_by: str | None = None
    refused: str | None = None
    decided: set[str] = field(default_factory=set)
    trouble: str | None = None
    came: verdict.Finding | None = None
    """What became of those whom the fault hits, if anything must."""

    def seen(self, now: datetime) -> verdict.Seen:
        """Return it as the verdict wants it."""
        return verdict.Seen(self.injected, self.incident, self.incident_seen, self.remediations, now)


class Runner:
    """Runs experiments in one namespace, one after the other."""

    def __init__(self, world: World, waiter: Waiter, options: Options) -> None:
        self._world = world
        self._waiter = waiter
        self._options = options

    def run(self, manifest: Json) -> Result:
        """Run one experiment; whatever happens after the injection, the fault is cleaned up."""
        experiment = self._world.submit(manifest)
        log = Record(generation=experiment.metadata.generation)
        log.begin(self._now())
        try:
            injection, before = self._prepare(experiment, log)
        except (TimedOut, Refused) as error:
            log.set(STEADY, False, "NotSteady", str(error), self._now())
            log.set(PASSED, False, "NotStarted", "without a steady state nothing is proved", self._now())
            self._write(experiment, log)
            return Result(experiment.metadata.name, started=False, passed=False, message=f"not started: {error}")
        run = _Run(log, injection, before, self._now())
        try:
            self._inject(experiment, run)
            judged = self._follow(experiment, run)
            self._options.at("end")
        finally:
            self._clean_up(experiment, run)
        log.set(PASSED, judged.passed, "AsExpected" if judged.passed else "NotAsExpected", judged.message, self._now())
        self._write(experiment, log)
        return self._result(experiment, run, judged)

    def _prepare(self, experiment: ChaosExperiment, log: Record) -> tuple[Injection, frozenset[str]]:
        name = experiment.metadata.name
        took = self._waiter.until(
            f"steady state of {name}",
            lambda: unsteady(self._world.steady_input(experiment)),
            self._options.steady_deadline_seconds,
        )
        injection = self._injection(experiment)
        before = frozenset(i.metadata.name for i in self._world.incidents())
        said = f"Watch {experiment.spec.watch} is healthy (after {took:.1f} s)"
        log.set(STEADY, True, "Healthy", said, self._now())
        log.reached("steady", said, self._now())
        self._write(experiment, log)
        self._waiter.say(f"  steady state: {said}")
        return injection, before

    def _injection(self, experiment: ChaosExperiment) -> Injection:
        fault = experiment.spec.fault
        if fault.agents is not None:
            return ConversationsInjection.prepare(self._options.lab, fault.agents.trouble)
        assert fault.rollout is not None  # the API server holds that one of them is set
        return RolloutInjection.prepare(self._world, experiment, fault.rollout)

    def _inject(self, experiment: ChaosExperiment, run: _Run) -> None:
        run.injected = self._now()
        run.injection.begin()
        said = run.injection.said
        run.record.set(INJECTED, True, "Applied", said, self._now())
        run.record.reached("injected", said, run.injected)
        self._tell(run, run.injected, "owner", said)
        self._write(experiment, run.record)
        self._options.at("injection")

    def _follow(self, experiment: ChaosExperiment, run: _Run) -> verdict.Verdict:
        waiting_for = ""
        told = run.injected
        while True:
            try:
                self._look(experiment, run)
                self._decide(run)
                self._watch(run)
            except Retry as error:
                waiting_for = str(error)
            now = self._now()
            judged = self._judge(experiment, run)
            if judged.over:
                return judged
            if (now - told).total_seconds() >= 10:
                told = now
                said = waiting_for or judged.message
                self._waiter.say(f"    {(now - run.injected).total_seconds():.0f} s so far: {said}")
            waiting_for = ""
            self._waiter.sleep(POLL_SECONDS)

    def _judge(self, experiment: ChaosExperiment, run: _Run) -> verdict.Verdict:
        more = [verdict.Finding("Approval", verdict.Mark.MISSED, run.trouble)] if run.trouble is not None else []
        if run.came is not None:
            more.append(verdict.in_time(run.came, experiment.spec.expect, run.seen(self._now())))
        judged = verdict.judge(experiment.spec.expect, run.seen(self._now()))
        return verdict.Verdict((*judged.findings, *more))

    def _watch(self, run: _Run) -> None:
        """See what becomes of those whom the fault hits."""
        met = run.came is not None and run.came.mark is verdict.Mark.MET
        applied = any(is_true(r.status.conditions, APPLIED) for r in run.remediations)
        run.came = run.injection.follow(applied)
        if run.came is not None and run.came.mark is verdict.Mark.MET and not met:
            self._tell(run, self._now(), "owner", run.came.message)
            run.record.reached(run.came.name.lower(), run.came.message, self._now())
            self._options.at(run.came.name.lower())

    def _look(self, experiment: ChaosExperiment, run: _Run) -> None:
        mine = [
            i
            for i in self._world.incidents()
            if (i.metadata.name not in run.before or began(i) > run.injected) and run.injection.concerns(i)
        ]
        if not mine:
            return
        incident = min(mine, key=began)
        if run.incident is None:
            run.incident_seen = self._now()
            run.record.incident = incident.metadata.name
            run.record.reached("detected", f"Incident {incident.metadata.name} opened", began(incident))
        run.incident = incident
        done = self._world.remediations(incident)
        run.remediations = tuple(r for r in done if r.spec.opening == openings(incident))
        fresh = run.news.of(incident, run.remediations)
        for line in fresh:
            self._tell(run, line.time, line.by.removeprefix("hemostat-"), line.message)
            run.record.reached(line.id, line.message, line.time)
        if fresh:
            self._write(experiment, run.record)

    def _decide(self, run: _Run) -> None:
        """Let the people decide what waits for them, each Remediation once."""
        for remediation in run.remediations:
            name = remediation.metadata.name
            if name in run.decided or not waiting_for_a_person(remediation):
                continue
            if self._options.refused is not None and run.refused is None:
                self._expect_refusal(self._options.refused, remediation, run)
            if self._options.approver is None:
                namespace = remediation.metadata.namespace
                self._waiter.say(f"    a person must decide: kubectl hemostat approve {name} -n {namespace}")
                run.decided.add(name)
                continue
            run.decided.add(name)
            if not self._approve(self._options.approver, remediation, run):
                continue
            plan = remediation.status.plan
            self._tell(run, self._now(), "person", f"{run.approved_by} approves: {plan.summary if plan else ''}")
            run.record.reached(f"approved-{name}"[:63], f"{run.approved_by} approved {name}", self._now())
            self._options.at("approval")

    def _approve(self, person: Kube, remediation: Remediation, run: _Run) -> bool:
        try:
            run.approved_by = people.approve(person, remediation, "chaos experiment")
        except Refused as error:
            run.trouble = f"the approver was refused: {error}"
            return False
        except Retry:
            run.decided.discard(remediation.metadata.name)
            raise
        return True

    def _expect_refusal(self, person: Kube, remediation: Remediation, run: _Run) -> None:
        try:
            user = people.approve(person, remediation, "may I?")
        except Refused as error:
            run.refused = str(error)
            self._tell(run, self._now(), "person", f"without the right to approve: {run.refused}")
            run.record.reached("refused", run.refused, self._now())
        else:
            run.trouble = f"{user} could approve without the RBAC verb approve"

    def _clean_up(self, experiment: ChaosExperiment, run: _Run) -> None:
        if experiment.spec.fault.cleanup != "Restore":
            run.record.set(CLEANED_UP, True, "Left", "the loop is trusted", self._now())
            return
        try:
            self._waiter.until("clean-up", lambda: self._restore(run), CLEANUP_DEADLINE_SECONDS)
        except HemostatError as error:
            run.record.set(CLEANED_UP, False, "Failed", str(error), self._now())
            self._waiter.say(f"  clean-up failed: {error}")

    def _restore(self, run: _Run) -> None:
        reason, said = run.injection.end()
        run.record.set(CLEANED_UP, True, reason, said, self._now())
        self._tell(run, self._now(), "owner", said)

    def _result(self, experiment: ChaosExperiment, run: _Run, judged: verdict.Verdict) -> Result:
        seen = run.seen(self._now())
        applied = [r.spec.action for r in run.remediations if is_true(r.status.conditions, APPLIED)]
        opened = run.incident_seen
        return Result(
            name=experiment.metadata.name,
            started=True,
            passed=judged.passed,
            message=judged.message,
            incident=run.incident.metadata.name if run.incident else None,
            action=applied[0] if applied else None,
            time_to_detect_seconds=verdict.time_to_detect(seen),
            time_to_see_seconds=(opened - run.injected).total_seconds() if opened else None,
            time_to_recover_seconds=verdict.time_to_recover(seen),
            approved_by=run.approved_by,
            refused=run.refused,
            clean_up=next(c.reason for c in run.record.conditions if c.type == CLEANED_UP),
            timeline=_timeline(run),
        )

    def _tell(self, run: _Run, moment: datetime, by: str, message: str) -> None:
        seconds = (moment - run.injected).total_seconds()
        self._waiter.say(f"  {seconds:+7.1f} s  {by:<8} {clean(message)}")

    def _write(self, experiment: ChaosExperiment, log: Record) -> None:
        """Publish the status; the run does not depend on it, so a failure is told and left at that."""
        try:
            self._world.write_status(experiment, log.status(experiment))
        except HemostatError as error:
            self._waiter.say(f"  status of {experiment.metadata.name} was not written: {error}")

    def _now(self) -> datetime:
        return self._waiter.clock.now()


def _timeline(run: _Run) -> Sequence[Json]:
    if run.incident is None:
        return ()
    lines: Sequence[Line] = timeline(run.incident, run.remediations)
    return [
        {
            "seconds": round((line.time - run.injected).total_seconds(), 2),
            "time": rfc3339(line.time),
            "by": line.by,
            "message": line.message,
        }
        for line in lines
    ]
