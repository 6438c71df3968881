"""The manifest: named sets with fixed seeds, what is left out of tuning, the norms of the estate.

Written down before any detector existed. A detector is tuned on `tuning` only; `main` is what figures are taken from;
`quiet` has no trouble at all (for the bound on false cuts); `small` and `tiny` are for tests. Conventions in UNSEEN and
families or variants in NOVEL never occur in `tuning`; truths of NOVEL ones carry `novel` and are reported apart.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice

from .case import Case, deploy, finish, pair_up, simulate, told
from .conventions import CONVENTIONS, TOKENS
from .dice import draw, seed_of, whole
from .oracle import TURNS, Verdict
from .render import Record
from .scenarios import FAMILIES
from .scenarios.names import agents
from .setting import MODELS
from .storm import Client, Storm, perform
from .truth import Truth

NOVEL = (
    "quarrel",
    "any_of",
    "fan_out",
    "outage",
    "polling_changing",
    "ring/ring of 6",
    "repair/period 7",
    "repair/period 9",
    "repair_noise/period 5 noise",
    "philosophers/ring of 4",
)
"""Families, or family/variant, kept out of `tuning`."""
UNSEEN = ("strands", "agent_framework")
"""Conventions kept out of `tuning`."""
ALONE = ("errands", "planned", "map_reduce")
"""Families without a fact to flip: always healthy."""
NORMS = {"turns": TURNS, "windows": {model: window for _, model, window in MODELS}}
"""What everybody in the estate knows, detectors too: turns a conversation may take, windows of models in tokens."""
EPOCH = 1_767_225_600.0
"""2026-01-01T00:00:00Z, when every set begins."""
TOGETHER = 64
"""Conversations that overlap in time; groups follow each other."""


@dataclass(frozen=True)
class SetSpec:
    """`pairs` for each family with a fact to flip; `storms` pairs of storms; `healthy` conversations on their own."""

    name: str
    seed: int
    pairs: int
    storms: int
    healthy: int
    novel: bool


SETS = {
    spec.name: spec
    for spec in (
        SetSpec("tiny", 5, 1, 0, 6, novel=True),
        SetSpec("small", 7, 2, 1, 12, novel=True),
        SetSpec("tuning", 20261121, 24, 4, 500, novel=False),
        SetSpec("main", 31337, 68, 14, 1900, novel=True),
        SetSpec("quiet", 271828, 0, 0, 4000, novel=True),
    )
}


@dataclass(frozen=True)
class Group:
    """Conversations that overlap in time."""

    cases: tuple[Case, ...]

    def records(self) -> list[Record]:
        """Return the records of all of them in the order of arrival."""
        found = [record for case in self.cases for record in case.records()]
        return sorted(found, key=lambda record: record.arrival)


def groups(spec: SetSpec) -> Iterator[Group]:
    """Return a set, group by group, each after the one before; the same every time."""
    jobs = sorted(_jobs(spec), key=lambda job: seed_of(spec.seed, "order", job))
    todo, start = iter(jobs), EPOCH
    while batch := list(islice(todo, TOGETHER // 2)):
        cases = [case for job in batch for case in _cases(spec, job, start)]
        cases.sort(key=lambda case: case.truth.began)
        yield Group(tuple(cases))
        start = max(case.truth.observed for case in cases) + 60.0


def truths(spec: SetSpec) -> Iterator[Truth]:
    """Return the truths of a set."""
    for group in groups(spec):
        yield from (case.truth for case in group.cases)


def digest(spec: SetSpec) -> str:
    """Return the SHA-256 of all truths of a set, one JSON line each."""
    total = hashlib.sha256()
    for truth in truths(spec):
        total.update(truth.line().encode() + b"\n")
    return total.hexdigest()


Job = tuple[str, str, int]
"""What to make: `pair`, `storm` or `healthy`; of which family; its number."""


def _jobs(spec: SetSpec) -> Iterator[Job]:
    for family in FAMILIES:
        if family not in ALONE and (spec.novel or family not in NOVEL):
            yield from (("pair", family, number) for number in range(spec.pairs))
    yield from (("storm", "storm", number) for number in range(spec.storms))
    yield from (("healthy", _healthy_family(spec, number), number) for number in range(spec.healthy))


def _healthy_family(spec: SetSpec, number: int) -> str:
    seed = seed_of(spec.seed, "healthy", number)
    if draw(seed, 1) < 0.55:
        return ("errands", "errands", "planned", "map_reduce")[whole(0, 3, seed, 2)]
    known = [name for name in FAMILIES if name not in ALONE and (spec.novel or name not in NOVEL)]
    return known[whole(0, len(known) - 1, seed, 3)]


def _conventions(spec: SetSpec) -> tuple[str, ...]:
    return tuple(name for name in CONVENTIONS if spec.novel or name not in UNSEEN)


def _cases(spec: SetSpec, job: Job, start: float) -> list[Case]:
    what, family, number = job
    seed = seed_of(spec.seed, what, family, number)
    if what == "storm":
        return _storm(spec, seed, number, start)
    if not spec.novel and is_novel(family, FAMILIES[family].build(seed, False).variant):
        return []
    if what == "healthy":
        return [_one(spec, family, seed, start, flipped=False)]
    healthy = _one(spec, family, seed, start, flipped=False)
    troubled = _one(spec, family, seed, start, flipped=True)
    if healthy.truth.kind or not troubled.truth.kind or "?" in (healthy.truth.kind, troubled.truth.kind):
        return [healthy, troubled]
    return list(pair_up(healthy, troubled, f"{family}-{number}"))


def is_novel(family: str, variant: str) -> bool:
    """Whether a family or variant is kept out of tuning."""
    return family in NOVEL or f"{family}/{variant}" in NOVEL


def _one(spec: SetSpec, family: str, seed: int, start: float, *, flipped: bool) -> Case:
    ids = seed_of(spec.seed, seed, "ids", flipped)
    setting = deploy(seed, ids, FAMILIES[family].guarded, _conventions(spec))
    begins = start + draw(ids, 1) * 600.0
    case = simulate(family, seed, flipped=flipped, start=begins, setting=setting)
    return replace(case, truth=replace(case.truth, novel=is_novel(family, case.truth.variant)))


def _storm(spec: SetSpec, seed: int, number: int, start: float) -> list[Case]:
    size = whole(10, 16, seed, 1)
    names = tuple(agents(3, seed)[at % 3] for at in range(size))
    told_cases = []
    for patient in (True, False):
        storm = Storm(seed, patient, names, 3600.0 if patient else float(whole(120, 200, seed, 2)))
        begins = start + draw(seed_of(seed, patient), 3) * 300.0
        incident = f"{spec.name}-{number}-{patient}"
        told_cases.append(
            [
                _in_storm(spec, seed, begins, seed_of(spec.seed, seed, at, patient), storm, one, incident)
                for at, one in enumerate(perform(storm))
            ]
        )
    pairs = [
        pair_up(healthy, troubled, f"storm-{number}-{at}")
        for at, (healthy, troubled) in enumerate(zip(*told_cases, strict=True))
        if troubled.truth.kind == "RetryStorm" and not healthy.truth.kind
    ]
    paired = {case.truth.conversation for pair in pairs for case in pair}
    alone = [case for some in told_cases for case in some if case.truth.conversation not in paired]
    return [case for pair in pairs for case in pair] + alone


def _in_storm(
    spec: SetSpec, seed: int, begins: float, ids: int, storm: Storm, one: tuple[Client, Verdict], incident: str
) -> Case:
    client, verdict = one
    setting = deploy(seed, ids, 0.5, tuple(name for name in _conventions(spec) if name in TOKENS))
    setting = replace(setting, server=f"llm-gw-{seed_of(incident) % 900:03d}.example")
    for span in client.spans:
        span.start += begins
        span.end = None if span.end is None or span.end > storm.watch else span.end + begins
    moved = replace(
        verdict,
        started=verdict.started + begins if verdict.kind else 0.0,
        repetitions=tuple(at + begins for at in verdict.repetitions),
    )
    truth = told(moved, "storm", "", "clients back off" if storm.patient else "clients retry at once")
    first, last = client.spans[0], max(span.end or span.start for span in client.spans)
    observed = begins + storm.watch if first.end is None else last
    truth = replace(truth, began=first.start, observed=observed, ended=first.end is not None)
    return finish(replace(truth, incident=incident if verdict.kind else ""), client.spans, setting)
