"""`Incident`: what is wrong now, the evidence, and how far the loop has come."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from hemostat.api.meta import (
    ATOMIC,
    IMMUTABLE,
    SET,
    BoundTargetRef,
    Conditions,
    Count,
    Decimal,
    Digest,
    LocalRef,
    Model,
    Name,
    ObjectMeta,
    Percent,
    Short,
    TargetRef,
    Text,
    Time,
    Word,
    keyed,
    rules,
)
from hemostat.api.watch import SignalKind

DETECTED, DIAGNOSED, REMEDIATED, VERIFIED, RESOLVED = (
    "Detected",
    "Diagnosed",
    "Remediated",
    "Verified",
    "Resolved",
)
"""Condition types. `observe` writes the first two, `act` the others (an admission policy sees to it)."""
PART_OF = "PartOf"
"""Condition type, of `observe`: True while another Incident is the cause of this one."""
WATCHED = "Watched"
"""Condition type, of `observe`: False once the target is another one, or gone, so that nobody looks any more."""
CONSULTED = "Consulted"
"""Condition type, of `observe`: whether what a model said counts, and why not; absent where no model is set."""
OBSERVED = (DETECTED, DIAGNOSED, CONSULTED, PART_OF, WATCHED)
"""Condition types that `observe` writes and nobody else may."""

MAX_EVIDENCE = 64
MAX_EVIDENCE_BYTES = 256 * 1024
"""Of all items as JSON: etcd takes objects of 1.5 MiB, and there is more in an Incident than evidence."""
MAX_POINTS = 60
MAX_TIMELINE = 100
MAX_TOLD = MAX_TIMELINE // 2
"""Entries of one process: server-side apply adds up what both tell, and refuses more than `MAX_TIMELINE`."""
MAX_SIGNALS = 32
MAX_CAUSES = 8
MAX_CALLERS = 64
MAX_SHARED = 4
MAX_NAMED = 10
"""Workloads that are named where more may be meant: the others are counted."""

Agent = Annotated[str, Field(max_length=253)]
ConversationId = Annotated[str, Field(min_length=1, max_length=253)]
EvidenceId = Annotated[str, Field(pattern=r"^E[1-9][0-9]{0,3}$", max_length=5)]


class Severity(StrEnum):
    """How bad it is for users. The description of the Incident's `severity` says what the words mean."""

    CRITICAL = "Critical"
    MAJOR = "Major"
    MINOR = "Minor"


class SignalState(StrEnum):
    """What the last observation of a signal said."""

    FIRING = "Firing"
    CLEAR = "Clear"
    NO_DATA = "NoData"


class SignalSource(StrEnum):
    """Where a signal's samples come from. Only the first two corroborate an unattended action."""

    PROMETHEUS = "Prometheus"
    WORKLOAD = "Workload"
    TRACES = "Traces"
    ALERTMANAGER = "Alertmanager"


class Conversation(Model):
    """A conversation of agents in trouble."""

    id: ConversationId
    """Its id, or that of its first trace."""
    since_time: Time
    """When its trouble was first found."""


class Advice(StrEnum):
    """What to do about trouble in a conversation."""

    NOTIFY = "Notify"
    CUT = "Cut"
    """It costs, it goes on at full speed, and nothing comes of it."""


class ConversationStatus(Model):
    """Trouble in conversations of AI agents: who is in it, and where it would be cut."""

    kind: SignalKind
    """What kind of trouble it is."""
    agents: Annotated[tuple[Agent, ...], Field(max_length=16, json_schema_extra=ATOMIC)] = ()
    """Who takes part, in order."""
    caller: Annotated[str, Field(max_length=253)] = ""
    """The smallest cut: who calls ..."""
    callee: Annotated[str, Field(max_length=253)] = ""
    """... and whom: an agent, a tool or a model. Empty where there is nothing to cut."""
    conversations: Annotated[tuple[Conversation, ...], Field(max_length=16, json_schema_extra=keyed("id"))] = ()
    """Conversations in which it goes on, the first 16 of them; once it is over in all of them, in which it did."""
    affected: Count = 0
    """How many there are."""
    tokens: Count = 0
    """Tokens burnt since it began, as far as they were told."""
    open_tools: Annotated[tuple[Agent, ...], Field(max_length=16, json_schema_extra=SET)] = ()
    """Of a deadlock: tools at work in its conversation, which would be broken off with a pod."""
    confidence_percent: Percent
    """How sure it is."""
    visibility: Word
    """Full; Partial (content is not sent, or nothing tells of open spans); None (neither)."""
    advice: Advice = Advice.NOTIFY
    """Cut where it costs, goes on at full speed and brings nothing, or stands still: else only a person cuts."""


class SignalStatus(Model):
    """The latest observation of one signal of the incident."""

    key: Annotated[str, Field(min_length=1, max_length=512)]
    """Stable identity: Watch signal and subject."""
    name: Short
    """Name of the signal in the Watch."""
    kind: SignalKind
    """What it says is wrong."""
    source: SignalSource
    """Where its samples come from."""
    subject: Short
    """What it is about: an edge `checkout -> payment`, a pod, the target."""
    state: SignalState
    """Firing, Clear, or NoData when nothing fresh arrived."""
    value: Decimal | None = None
    """The latest value; while it fires, the latest that was wrong, with its message and samples."""
    threshold: Decimal | None = None
    """The limit it was compared with."""
    unit: Annotated[str, Field(max_length=16)] = ""
    """Unit of value and threshold."""
    message: Annotated[str, Field(max_length=512)] = ""
    """What is wrong in a sentence: the API server's words, the time left, the alert's summary."""
    severity: Severity = Severity.MINOR
    """How bad it is for users, as far as this signal alone says."""
    samples: Count = 0
    """How many requests or series the latest value rests on."""
    first_fired_time: Time
    """When it began to fire."""
    state_time: Time
    """When `state` last changed."""
    observed_time: Time
    """When it was last observed."""
    watch_ref: LocalRef | None = None
    """The Watch that saw it, where that is not the Incident's own: then it is a symptom."""
    target_ref: TargetRef | None = None
    """The workload it is about, where another Watch saw it."""
    conversation: ConversationStatus | None = None
    """Of agents: who, between whom, how sure."""


class EvidenceKind(StrEnum):
    """What an item of evidence is."""

    SIGNAL = "Signal"
    CHANGE = "Change"
    WORKLOAD = "Workload"
    EXEMPLAR = "Exemplar"
    """Ids of traces that show it."""
    SERIES = "Series"
    """Measurements over time."""
    EDGE = "Edge"
    """Calls between two services."""
    EVENT = "Event"
    """What the API server's Events say."""
    LOG = "Log"
    """A template of log lines, with how often it came."""
    STEP = "Step"
    """What agents did."""
    EPISODE = "Episode"
    """A past incident that is alike."""
    OUTCOME = "Outcome"
    """What came of a Remediation of this incident: it was denied, was in vain, or did not fit."""


class Plot(Model):
    """A measurement over time, ready to be drawn: `values[i]` is what it was `seconds[i]` after `startTime`."""

    model_config = {
        "json_schema_extra": rules(("size(self.seconds) == size(self.values)", "must have a value for each second"))
    }

    unit: Annotated[str, Field(max_length=16)] = ""
    """Unit of the values and of the band."""
    start_time: Time
    """When it was measured first."""
    seconds: Annotated[
        tuple[Annotated[int, Field(ge=0, le=86400)], ...], Field(max_length=MAX_POINTS, json_schema_extra=ATOMIC)
    ]
    """Whole seconds since then, ascending. Where there were more points, the lowest and the highest of each few."""
    values: Annotated[tuple[Decimal, ...], Field(max_length=MAX_POINTS, json_schema_extra=ATOMIC)]
    """What it was."""
    low: Decimal | None = None
    """Lower end of the band in which it is right, where there is one."""
    high: Decimal | None = None
    """Upper end."""
    fired_time: Time | None = None
    """When the signal fired that it is about."""


BEFORE = "before/"
"""How the key of evidence begins that stays only because numbers go on from it."""


class Evidence(Model):
    """One numbered fact. Hypotheses cite these ids and nothing else."""

    id: EvidenceId
    """E1, E2, ... in the order of discovery."""
    key: Annotated[str, Field(min_length=1, max_length=512)]
    """Stable identity, so that the same fact is not listed twice."""
    kind: EvidenceKind
    """What sort of fact it is."""
    subject: Short
    """What it is about."""
    summary: Text
    """The fact in one sentence, with its numbers."""
    observed_time: Time
    """When it was observed."""
    plot: Plot | None = None
    """Of measurements: how they went, for people to look at."""

    @property
    def past(self) -> bool:
        """Tell whether it was seen before the trouble came back, and says nothing of how it is now."""
        return self.key.startswith(BEFORE)


class RuledOut(StrEnum):
    """What of a hypothesis is ruled out."""

    ACTION = "Action"
    """A person denied what would be done: it may be the cause all the same."""


class Hypothesis(Model):
    """A possible cause, the runbook that answers it, and the evidence for it."""

    runbook: Name
    """The Runbook whose symptoms it rests on."""
    cause: Text
    """The cause in one sentence."""
    confidence_percent: Percent
    """Share of the Runbook's symptom weight that was found."""
    cites: Annotated[tuple[EvidenceId, ...], Field(max_length=MAX_EVIDENCE, json_schema_extra=SET)] = ()
    """The evidence it rests on."""
    ruled_out: Text | None = None
    """Why it was not chosen, if it was not."""
    ruled_out_only: RuledOut | None = None
    """What of it that is about, where it is not about the cause."""

    @property
    def candidate(self) -> bool:
        """Whether it matches and has something left to do: only such may be chosen."""
        return self.confidence_percent > 0 and self.ruled_out_only is None


class Statement(Model):
    """Something that a model stated and that the evidence bears."""

    text: Text
    """The statement."""
    about: Short
    """What it is about, as the evidence names it."""
    cites: Annotated[tuple[EvidenceId, ...], Field(max_length=16, json_schema_extra=ATOMIC)]
    """The evidence that shows it."""


class ModelUsage(Model):
    """What was asked of models for one diagnosis."""

    models: Annotated[tuple[Short, ...], Field(max_length=8, json_schema_extra=ATOMIC)] = ()
    """Which answered."""
    turns: Count = 0
    """How often one was asked."""
    tokens_in: Count = 0
    """Tokens of what they were asked."""
    tokens_out: Count = 0
    """Tokens of what they replied."""
    usd: Decimal = "0"
    """What it cost, in US dollars, as far as prices are known."""
    prompt_digest: Digest | None = None
    """SHA-256 of the last prompt: its messages as JSON with sorted keys."""
    reply_digest: Digest | None = None
    """SHA-256 of the reply to it."""


class Used(Model):
    """What models have used about this incident, all rounds and all processes together: the budget counts from here."""

    turns: Count = 0
    """How often one was asked, answered or not."""
    tokens: Count = 0
    """In and out. Requests under way count with the most that they may use."""
    usd: Decimal = "0"
    """In US dollars, likewise."""


class Abstention(Model):
    """Why nothing is concluded: the evidence is insufficient."""

    by: Word
    """Matcher or Model."""
    least_percent: Percent
    """Confidence that an answer must have at least."""
    missing: Annotated[tuple[Short, ...], Field(max_length=16, json_schema_extra=ATOMIC)] = ()
    """What would be needed: symptoms of Runbooks that were not found, or what a model would have to see."""


class Dropped(Model):
    """What a model said and nothing bears."""

    reason: Word
    """CitesNothing, NoSuchEvidence, EntityNotNamed (what it cites does not name what it is about), CameLater (it rests
    on what was changed after the trouble began), or NotACandidate (a Runbook that does not match)."""
    count: Count
    """How often."""


class Ranking(StrEnum):
    """What the deterministic matcher could make of the Runbooks that match."""

    ORDERED = "Ordered"
    """One of them is above all others."""
    TIED = "Tied"
    """None is, or nobody says so."""


class Diagnosis(Model):
    """What was concluded and by whom."""

    by: Word
    """Matcher (deterministic) or Model."""
    runbook_ref: LocalRef | None = None
    """The Runbook chosen."""
    ranking: Ranking = Ranking.TIED
    """Whether the deterministic matcher could order the Runbooks that match: where several matched equally and a model
    chose among them, nothing of it is done without a person."""
    cause: Text = ""
    """The cause in the model's words, where one was asked: text for people, of which nothing follows."""
    statements: Annotated[tuple[Statement, ...], Field(max_length=12, json_schema_extra=ATOMIC)] = ()
    """What the model's conclusion rests on."""
    dropped: Count = 0
    """Statements of the model that cited nothing, or nothing that bears them: they are left out."""
    dropped_because: Annotated[tuple[Dropped, ...], Field(max_length=8, json_schema_extra=keyed("reason"))] = ()
    """Why, and how many of them each."""
    usage: ModelUsage | None = None
    """What was asked of models for it."""
    question: Annotated[str, Field(max_length=16)] = ""
    """What there was to decide: while it is the same no model is asked again."""
    outcomes: Count = 0
    """Of how many Remediations of this opening it knows the outcome: with one more another round begins."""
    abstained: Abstention | None = None
    """What is missing for an answer, where none is given."""
    hypotheses: Annotated[tuple[Hypothesis, ...], Field(max_length=16, json_schema_extra=keyed("runbook"))] = ()
    """Everything that was considered, the best first."""


class Cause(Model):
    """A service that may be the cause, and why."""

    service: Annotated[str, Field(min_length=1, max_length=256)]
    """Name of the service in traces, or of the workload."""
    watch_ref: LocalRef | None = None
    """The Watch of it, if it is watched."""
    score_percent: Percent
    """How much the signs point at it; comparable within one Incident, not a probability."""
    reasons: Annotated[tuple[Text, ...], Field(max_length=4, json_schema_extra=ATOMIC)] = ()
    """Why, strongest first."""


class Callers(Model):
    """Who is served by the target, directly or through others, as traces show it."""

    total: Count
    """How many services."""
    names: Annotated[
        tuple[Annotated[str, Field(max_length=256)], ...], Field(max_length=MAX_CALLERS, json_schema_extra=SET)
    ] = ()
    """Which, by their names in traces: the nearest 64."""
    observed_time: Time
    """When that was last seen, or a little later."""


class Reopening(Model):
    """Trouble that came back soon after it was resolved."""

    count: Count
    """How often it came back."""
    time: Time
    """When it came back last."""


class Storm(Model):
    """What fired at the same time and did not get an Incident of its own."""

    targets: Count
    """How many workloads."""
    signals: Count
    """How many signals."""
    names: Annotated[tuple[Short, ...], Field(max_length=MAX_NAMED, json_schema_extra=ATOMIC)] = ()
    """Which workloads, as `Deployment payment`; the first ten by name."""
    shared: Annotated[tuple[Short, ...], Field(max_length=MAX_SHARED, json_schema_extra=ATOMIC)] = ()
    """What all of them have in common: a change shortly before, or a node, unless a Watch that is well has it too."""

    @property
    def words(self) -> str:
        """Who else is in trouble, and what they share."""
        more = self.targets - len(self.names)
        names = ", ".join(self.names) + (f" and {more} more" if more > 0 else "")
        shared = f"; all of them share {' and '.join(self.shared)}" if self.shared else ""
        many = f"{self.targets} other target{'s' if self.targets > 1 else ''}"
        many += f", {self.signals} signal{'s' if self.signals != 1 else ''}"
        return f"a storm: too many Incidents within a minute; this one stands for {many}: {names}{shared}"


class Lesson(Model):
    """What may be learnt from a resolved incident: a draft, which counts for nothing until a person accepts it."""

    text: Text
    """What happened, why, what was tried with what outcome, and how it ended; with the evidence in brackets."""
    cites: Annotated[tuple[EvidenceId, ...], Field(max_length=MAX_EVIDENCE, json_schema_extra=SET)] = ()
    """The evidence it rests on."""
    resolved_time: Time
    """Which end of the incident it is about."""


class Progress(Model):
    """The step that the loop has come to; the stream of the Incident has all of them."""

    step: Word
    """What is being done or was done last: Asked, LookedUp, NeedsApproval, Applied, Verifying, Resolved, ..."""
    stage: Word
    """Detection, Diagnosis, Gate, Action, Verification or Resolution."""
    message: Short = ""
    """The same for people: who, and with what numbers."""
    time: Time
    """When the step was taken."""


class TimelineEntry(Model):
    """Something that happened, told once."""

    id: Annotated[str, Field(min_length=1, max_length=253)]
    """Deterministic, so that a restart does not tell it twice."""
    time: Time
    """When it happened."""
    by: Short
    """Which process or person did it."""
    message: Text
    """What happened."""


class IncidentSpec(Model):
    """What was found wrong, and where. Never changes."""

    model_config = {"json_schema_extra": rules(IMMUTABLE)}

    watch_ref: LocalRef
    """The Watch whose signals opened it."""
    target_ref: BoundTargetRef
    """The workload that is blamed."""
    fingerprint: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$", max_length=16)]
    """Identity of the trouble: while an Incident with it is open, no second one is made."""
    title: Short
    """What is wrong, in one line, as it was when it was opened."""
    started_time: Time
    """First sample that was wrong."""
    opened_time: Time
    """When the first signal fired."""


class IncidentStatus(Model):
    """How far the loop has come."""

    conditions: Conditions = ()
    """Detected, Diagnosed, PartOf, Watched, Remediated, Verified and the summary Resolved."""
    summary: Short | None = None
    """What is wrong in one line, as last seen: why pods fail, if they do, else the worst signal."""
    severity: Severity | None = None
    """How bad it is for users, the worst since it was opened or came back.

    Critical: the target serves nobody or hardly anybody. No replica is ready, at least half of its calls fail, an error
    budget is gone in two days, or somebody's alert is labelled so. Major: it serves in part. Half of its replicas are
    gone, a tenth of its calls fail, calls take three times as long as is wrong already, a Job failed, an error budget
    is gone in five days, or a resource in a quarter of an hour. Minor: it is degraded or at risk, and nothing says that
    many users notice: one pod of several, an autoscaler at its maximum, a limit that is hours away.
    """
    signals: Annotated[tuple[SignalStatus, ...], Field(max_length=MAX_SIGNALS, json_schema_extra=keyed("key"))] = ()
    """The signals of this incident as last observed."""
    evidence: Annotated[tuple[Evidence, ...], Field(max_length=MAX_EVIDENCE, json_schema_extra=keyed("id"))] = ()
    """Numbered facts, at most 64."""
    diagnosis: Diagnosis | None = None
    """The conclusion."""
    remediation_ref: LocalRef | None = None
    """The Remediation proposed last."""
    causes: Annotated[tuple[Cause, ...], Field(max_length=MAX_CAUSES, json_schema_extra=keyed("service"))] = ()
    """Where it may have begun, the likeliest first, ranked over the call graph."""
    callers: Callers | None = None
    """Who would feel it if the target were touched; absent where no trace tells."""
    part_of: LocalRef | None = None
    """The Incident that is the cause of this one. Nothing is proposed here; it is resolved with that one."""
    reopened: Reopening | None = None
    """How often the trouble came back after it was resolved."""
    storm: Storm | None = None
    """Other trouble of the same minute that this Incident stands for."""
    usage: Used | None = None
    """What models have used about it; written before each request is sent, so that a restart begins nothing anew."""
    lesson: Lesson | None = None
    """What may be learnt from it, drafted when it was resolved. `kubectl hemostat lesson accept` makes it count."""
    progress: Progress | None = None
    """Where it is, as last told: written at most once a second, so that steps in between may be left out."""
    timeline: Annotated[tuple[TimelineEntry, ...], Field(max_length=MAX_TIMELINE, json_schema_extra=keyed("id"))] = ()
    """What happened, oldest first, at most 100 entries."""


class Incident(Model):
    """What is wrong now."""

    metadata: ObjectMeta
    spec: IncidentSpec
    status: IncidentStatus = IncidentStatus()
