"""`GatePolicy`: what may happen without a person, and what may not happen at all. Cluster-scoped."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from hemostat.api.approval import Via
from hemostat.api.meta import ATOMIC, SET, Conditions, Count, Label, Model, ObjectMeta, Percent, rules
from hemostat.api.runbook import Risk


class Decision(StrEnum):
    """What a policy says of an action it matches; of several policies the strictest wins."""

    AUTO = "Auto"
    SHADOW = "Shadow"
    """As Auto, but nothing is done, whoever approves: it is planned, decided and tried by a dry run, and ends with what
    would have been done or asked."""
    APPROVE = "Approve"
    DENY = "Deny"


class TelemetryAlone(StrEnum):
    """What may happen on the word of telemetry alone."""

    APPROVE = "Approve"
    """A person decides."""
    ALLOW_TIME_LIMITED = "AllowTimeLimited"
    """What ends and is undone by itself, such as the cut of an edge between agents, needs no other witness."""


class Uncalibrated(StrEnum):
    """What may happen on a confidence that outcomes have not confirmed yet."""

    APPROVE = "Approve"
    """A person decides."""
    ALLOW = "Allow"
    """The diagnosis' own word is taken: the share of the Runbook's symptoms that was found, or less."""


class Operator(StrEnum):
    """How a label is compared."""

    IN = "In"
    NOT_IN = "NotIn"
    EXISTS = "Exists"
    DOES_NOT_EXIST = "DoesNotExist"


LabelKey = Annotated[str, Field(min_length=1, max_length=317)]
LabelValue = Annotated[str, Field(max_length=63)]


class Requirement(Model):
    """What is asked of one label, as in metav1.LabelSelectorRequirement."""

    model_config = {
        "json_schema_extra": rules(
            (
                "(self.operator in ['In', 'NotIn']) == (has(self.values) && self.values.size() > 0)",
                "values must be given for In and NotIn, and must not for Exists and DoesNotExist",
            )
        )
    }

    key: LabelKey
    """Name of the label."""
    operator: Operator
    """In, NotIn (also true where there is no such label), Exists or DoesNotExist."""
    values: Annotated[tuple[LabelValue, ...], Field(max_length=32, json_schema_extra=SET)] = ()
    """What In and NotIn compare with."""


class Selector(Model):
    """Which objects are meant by their labels, as in metav1.LabelSelector: all that is asked must hold."""

    match_labels: Annotated[dict[str, LabelValue], Field(max_length=32)] = {}
    """Labels that it has, with these values."""
    match_expressions: Annotated[tuple[Requirement, ...], Field(max_length=32, json_schema_extra=ATOMIC)] = ()
    """What else is asked of its labels."""


class HumanEdits(StrEnum):
    """Which edits of the target by people count."""

    SINCE_TROUBLE = "SinceTrouble"
    """Those after the trouble began: somebody is at work on it. What was edited before may be what caused it."""
    ANY = "Any"
    """Those before too: what a person has just rolled out is not rolled back without one."""


class BlastRadius(Model):
    """The most that one action may touch. Beyond it a person decides."""

    max_pods_percent: Percent = 100
    """Share of the target's ready pods that the action may replace or remove."""
    max_replicas: Annotated[int, Field(ge=1, le=10000)] = 10
    """The most replicas the action may leave."""
    max_callers: Annotated[int, Field(ge=0, le=10000)] | None = None
    """The most services that call the target, directly or through others, in the traced call graph. That is the word of
    telemetry: where it is not known, or older than five minutes, a person decides. Unset does not look."""


class Scope(StrEnum):
    """Where actions are counted."""

    NAMESPACE = "Namespace"
    """In that of the action."""
    CLUSTER = "Cluster"
    """In all namespaces together."""


class Budget(Model):
    """A rolling limit on how often Hemostat acts without a person."""

    scope: Scope = Scope.NAMESPACE
    """Namespace: counted in each apart. Cluster: in all of them together."""

    max_actions: Annotated[int, Field(ge=0, le=1000)] = 3
    """How many unattended actions."""
    window_seconds: Annotated[int, Field(ge=60, le=604800)] = 3600
    """Within this time."""


def _names(words: str) -> str:
    """Return a pattern for any of these, however they are written."""
    return "|".join("".join(f"[{c}{c.lower()}]" for c in word) for word in words.split())


_DAYS = _names("SUN MON TUE WED THU FRI SAT")


def _cron_field(value: str, lonely: str = "") -> str:
    """Return a pattern for one field: values, ranges and steps of them, listed with commas."""
    term = rf"(\*|({value})(-({value}))?)(/0*[1-9][0-9]*)?" + (f"|{lonely}" if lonely else "")
    return f"({term})(,({term}))*"


CRON = (
    r"^\s*"
    + r"\s+".join(
        (
            _cron_field("0*[0-5]?[0-9]"),
            _cron_field("0*(1?[0-9]|2[0-3])"),
            _cron_field("0*([1-9]|[12][0-9]|3[01])", "[Ll][Ww]?(/0*[1-9][0-9]*)?"),
            _cron_field(f"0*([1-9]|1[0-2])|{_names('JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC')}"),
            _cron_field(f"0*[0-7]|{_DAYS}", f"0*[0-7][Ll]|(0*[0-7]|{_DAYS})#0*[1-5]"),
        )
    )
    + r"\s*$"
)
"""What the API server can tell of a schedule; of the rest, such as ranges that run backwards, the status tells.

It is for the CRD alone: what was stored before it must still be read, and be told of.
"""
_IS_CRON = (
    f"self.matches(r'{CRON}')",
    "must be 5 fields: minute 0-59, hour 0-23, day of the month 1-31, month 1-12, day of the week 0-7, as 0 18 * * 5",
)
ZONE = r"^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*$"

_IS_ZONE = f"self.matches(r'{ZONE}')", "must be the name of a time zone, such as Europe/Berlin"


class Window(Model):
    """A time that comes again and again."""

    schedule: Annotated[str, Field(min_length=9, max_length=256, json_schema_extra=rules(_IS_CRON))]
    """When it begins, as cron has it: minute, hour, day of the month, month, day of the week. "0 18 * * 5": Fridays at
    18:00."""
    time_zone: Annotated[str, Field(min_length=1, max_length=64, json_schema_extra=rules(_IS_ZONE))] = "UTC"
    """Whose clock that is, such as Europe/Berlin."""
    duration_seconds: Annotated[int, Field(ge=60, le=31_622_400)]
    """How long it lasts, in real time, whatever is done to clocks meanwhile."""


class Earned(Model):
    """What must have come of an action before, for no person to be asked. Failures take away what was earned.

    Counted are the last 50 Incidents of the namespace that this action of this Runbook, with the same parameters, was
    applied to: as healed where it healed and the trouble did not come back, and as not healed else.
    """

    min_outcomes: Annotated[int, Field(ge=1, le=50)] = 10
    """How many of them there must be."""
    min_healed_percent: Annotated[int, Field(ge=1, le=94)] = 75
    """What share it must heal, with 95 % confidence: the lower end of Wilson's interval. 10 of 10 are worth 78 %, 25 of
    25 90 %, 24 of 25 83 %, 50 of 50 94 %."""


Names = Annotated[tuple[Label, ...], Field(max_length=64, json_schema_extra=SET)]


Channels = Annotated[tuple[Via, ...], Field(max_length=2, json_schema_extra=SET)]


class GatePolicySpec(Model):
    """Which actions it is about and what it says of them. No policy that matches: a person decides."""

    namespaces: Names = ()
    """Namespaces it is about; none means all."""
    selector: Selector = Selector()
    """Labels of the workloads it is about; an empty one means all."""
    actions: Names = ()
    """Actions it is about; none means all."""
    risks: Annotated[tuple[Risk, ...], Field(max_length=3, json_schema_extra=SET)] = ()
    """Runbook risks it is about; none means all."""
    when: Annotated[tuple[Window, ...], Field(max_length=16, json_schema_extra=ATOMIC)] = ()
    """Times at which it is in force; none means always. With decision Deny or Approve: a change freeze."""
    decision: Decision = Decision.APPROVE
    """Auto, Shadow (only said what would be done), Approve (a person decides) or Deny."""
    quorum: Annotated[int, Field(ge=1, le=8)] = 1
    """How many people must approve where a person decides; one who denies is enough to stop it."""
    refused_channels: Channels = ()
    """Ways by which no approval is taken: Slack, Kubectl. A denial is taken whatever way it comes."""
    blast_radius: BlastRadius = BlastRadius()
    """What an Auto action may touch at most."""
    cooldown_seconds: Annotated[int, Field(ge=0, le=604800)] = 300
    """How long the same target is left alone after an unattended action."""
    budget: Budget = Budget()
    """How often it may be automatic."""
    human_edit_seconds: Annotated[int, Field(ge=0, le=604800)] = 900
    """How long after an edit of the target by a person, or a tool that is no known controller, a person decides."""
    human_edits: HumanEdits = HumanEdits.SINCE_TROUBLE
    """Which edits count: SinceTrouble or Any."""
    min_confidence_percent: Percent = 50
    """Below this confidence a person decides: the diagnosis' own, and what that was worth in the past."""
    earned: Earned | None = None
    """What must have come of the action before; unset asks nothing."""
    on_uncalibrated: Uncalibrated = Uncalibrated.APPROVE
    """What may happen while too few outcomes are remembered to say what the diagnosis' confidence is worth."""
    on_telemetry_alone: TelemetryAlone = TelemetryAlone.APPROVE
    """What may happen when neither the API server nor Prometheus confirms the trouble, for telemetry may be forged."""


class GatePolicyStatus(Model):
    """Whether it is in force."""

    observed_generation: Count = 0
    """The generation these conditions are about."""
    conditions: Conditions = ()
    """Ready: every action it names is in the catalogue, and its times can be read."""


class GatePolicy(Model):
    """What may happen without a person."""

    metadata: ObjectMeta
    spec: GatePolicySpec
    status: GatePolicyStatus = GatePolicyStatus()
