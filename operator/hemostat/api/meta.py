"""What all kinds share: the base model, bounded field types, references, conditions."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, PlainSerializer
from pydantic.alias_generators import to_camel

from hemostat.clock import rfc3339


class Model(BaseModel):
    """Frozen, camelCase in YAML, snake_case in Python.

    Reading from the cluster ignores unknown fields, so that an older process survives a newer CRD. Attribute
    docstrings become the descriptions that `kubectl explain` prints.
    """

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        frozen=True,
        extra="ignore",
        use_attribute_docstrings=True,
    )

    def wire(self) -> dict[str, Any]:
        """Return the JSON object as the API server wants it: camelCase, no nulls."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


def rules(*pairs: tuple[str, str]) -> dict[str, Any]:
    """CEL rules (`x-kubernetes-validations`) for a model or field: (expression, message) pairs."""
    return {"x-kubernetes-validations": [{"rule": rule, "message": message} for rule, message in pairs]}


def exactly_one(*fields: str) -> tuple[str, str]:
    """CEL rule for a union: one of these optional fields is set, and no other."""
    present = ", ".join(f"has(self.{field})" for field in fields)
    return f"[{present}].filter(x, x).size() == 1", f"must set exactly one of {', '.join(fields[:-1])} and {fields[-1]}"


def keyed(*keys: str) -> dict[str, Any]:
    """Mark a list as a map keyed by these fields, so that server-side apply merges it item by item."""
    return {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": list(keys)}


ATOMIC: dict[str, Any] = {"x-kubernetes-list-type": "atomic"}
SET: dict[str, Any] = {"x-kubernetes-list-type": "set"}
IMMUTABLE = ("self == oldSelf", "must not change after creation; delete it and create a new one")

DNS_LABEL = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
API_VERSION = r"^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?v[1-9][0-9]*((alpha|beta)[1-9][0-9]*)?$"
DNS_NAME = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"

Name = Annotated[str, Field(min_length=1, max_length=253, pattern=DNS_NAME)]
Label = Annotated[str, Field(min_length=1, max_length=63, pattern=DNS_LABEL)]
Word = Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[A-Za-z][A-Za-z0-9]*$")]
Uid = Annotated[str, Field(min_length=1, max_length=64)]
Short = Annotated[str, Field(max_length=256)]
Text = Annotated[str, Field(max_length=1024)]
Long = Annotated[str, Field(max_length=16384)]
ApiVersion = Annotated[str, Field(min_length=1, max_length=253, pattern=API_VERSION)]
"""It becomes part of a URL that is asked for with our own rights: nothing but `group/v1` may stand there."""
Digest = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$", max_length=71)]
Decimal = Annotated[str, Field(pattern=r"^-?[0-9]{1,15}(\.[0-9]{1,9})?$", max_length=26)]
"""A number as a string ("0.85"): CRDs should hold no floats (Kubernetes API conventions)."""
Percent = Annotated[int, Field(ge=0, le=100)]
Seconds = Annotated[int, Field(ge=0, le=86400)]
Count = Annotated[int, Field(ge=0, le=1_000_000_000)]
TIME = r"^2[0-9]{3}-.*([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$"
"""The format `date-time` of a CRD alone takes the year 0 and offsets of four days, which we could not read."""
Time = Annotated[
    AwareDatetime,
    PlainSerializer(rfc3339, return_type=str, when_used="json"),
    Field(json_schema_extra={"maxLength": 40, "pattern": TIME}),
]


class ObjectMeta(Model):
    """The part of Kubernetes' ObjectMeta that Hemostat reads."""

    name: str
    namespace: str | None = None
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    creation_timestamp: Time | None = None
    deletion_timestamp: Time | None = None
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


class LocalRef(Model):
    """A reference to an object of a known kind in the same namespace."""

    name: Name
    """Name of the object."""
    uid: Uid | None = None
    """Its uid, where the reference must not survive a re-creation."""


API_VERSIONS: Mapping[str, str] = {
    "Deployment": "apps/v1",
    "StatefulSet": "apps/v1",
    "DaemonSet": "apps/v1",
    "Job": "batch/v1",
    "CronJob": "batch/v1",
    "Node": "v1",
}
"""Kinds that a Watch may have as its target, with their apiVersion."""


def _api_version(known: dict[str, Any]) -> str:
    return API_VERSIONS.get(known.get("kind", ""), "apps/v1")


class TargetRef(Model):
    """The workload something is about, in the namespace of the referring object."""

    kind: Word = "Deployment"
    """Kind of the workload."""
    api_version: ApiVersion = Field(
        default_factory=_api_version,
        description="API version of the workload. Default: that of its kind, batch/v1 for a Job.",
    )
    name: Name
    """Name of the workload."""


class BoundTargetRef(TargetRef):
    """A workload pinned by uid: a re-created object of the same name is another one."""

    api_version: ApiVersion = "apps/v1"
    """API version of the workload."""
    uid: Uid
    """uid of the workload."""


class ConditionStatus(StrEnum):
    """The three values a condition may have."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


class Condition(Model):
    """One observation about the object, in the form of metav1.Condition."""

    type: Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[A-Z][A-Za-z]*$")]
    """What was observed."""
    status: ConditionStatus
    """True, False or Unknown."""
    reason: Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[A-Z][A-Za-z]*$")]
    """Why, in one CamelCase word for machines."""
    message: Annotated[str, Field(max_length=2048)] = ""
    """Why, and what to do, for people."""
    last_transition_time: Time
    """When `status` last changed."""
    observed_generation: Count = 0
    """The `metadata.generation` this observation is about."""


Conditions = Annotated[tuple[Condition, ...], Field(max_length=16, json_schema_extra=keyed("type"))]


def find(conditions: Iterable[Condition], kind: str) -> Condition | None:
    """Return the condition of this type, or None."""
    for condition in conditions:  # asked very often: a generator expression takes twice as long
        if condition.type == kind:
            return condition
    return None


def is_true(conditions: Iterable[Condition], kind: str) -> bool:
    """Tell whether the condition exists and is True."""
    found = find(conditions, kind)
    return found is not None and found.status is ConditionStatus.TRUE


def is_false(conditions: Iterable[Condition], kind: str) -> bool:
    """Tell whether the condition exists and is False."""
    found = find(conditions, kind)
    return found is not None and found.status is ConditionStatus.FALSE


def set_condition(
    conditions: Sequence[Condition],
    kind: str,
    status: bool | Literal["Unknown"],  # noqa: FBT001 - True/False/Unknown are the domain's own words
    reason: str,
    message: str,
    now: datetime,
    generation: int = 0,
) -> tuple[Condition, ...]:
    """Return the conditions with this one set; `lastTransitionTime` moves only when the status changes."""
    value = ConditionStatus(str(status))
    old = find(conditions, kind)
    since = old.last_transition_time if old is not None and old.status is value else now
    new = Condition(
        type=kind,
        status=value,
        reason=reason,
        message=message[:2048],
        last_transition_time=since,
        observed_generation=generation,
    )
    if old is None:
        return (*conditions, new)
    return tuple(new if c.type == kind else c for c in conditions)
