"""Recorded Incidents as they are kept: `tests/incidents/KIND/N.yaml`, labelled by `tests/incidents/kinds.yaml`."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from hemostat.api.incident import Incident
from hemostat.api.runbook import Runbook

FOLDER = Path(__file__).parents[2] / "incidents"
KINDS = FOLDER / "kinds.yaml"
LIBRARY = "remediations"
"""The Runbook library, from the project's folder."""
LABELLED = frozenset(
    {
        "bad-rollout",
        "saturation",
        "agents-go-round",
        "agents-wait-for-each-other",
        "agents-burn-tokens",
        "agents-storm-a-provider",
    }
)
"""The Runbooks that there were when the labels were written: every Incident is matched against these. The others name
causes for which the labels say that the matcher abstains; tests/unit/library says what is right for all together."""
SEEN, HELD_OUT, INSUFFICIENT = "seen", "held-out", "insufficient"
SPLITS = (SEEN, HELD_OUT, INSUFFICIENT)
ABSTAIN = "abstain"
NO_UID = "00000000-0000-0000-0000-000000000000"
_STATUS = ("summary", "severity", "signals", "evidence", "causes", "storm")
"""What of the status is kept: what there was to judge by. What was made of it (diagnosis, timeline) is not."""
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Label:
    """What is right for a kind of fault."""

    split: str
    accept: frozenset[str]
    """Names of Runbooks, or `abstain`."""

    def right(self, answer: str | None) -> bool:
        """Tell whether an engineer on call would accept this Runbook; None: none was chosen."""
        return (answer or ABSTAIN) in self.accept


@dataclass(frozen=True, slots=True)
class Recorded:
    """One Incident with its label."""

    kind: str
    number: int
    fault: str
    """What was done, in words."""
    live: str | None
    """The Runbook that the running matcher had chosen by then; None also where evidence was taken out afterwards."""
    label: Label
    incident: Incident

    @property
    def id(self) -> str:
        """Return the kind and the number."""
        return f"{self.kind}/{self.number}"


def labels() -> dict[str, Label]:
    """Return the label of each kind."""
    return {kind: Label(told["split"], frozenset(told["accept"])) for kind, told in _read(KINDS).items()}


def load() -> Iterator[Recorded]:
    """Yield every recorded Incident, by kind and number."""
    known = labels()
    for path in sorted(FOLDER.glob("*/*.yaml"), key=lambda p: (p.parent.name, int(p.stem))):
        told = _read(path)
        incident = Incident.model_validate(told["incident"])
        kind = path.parent.name
        yield Recorded(kind, int(path.stem), told["fault"], told.get("matcher"), known[kind], incident)


def library(root: Path) -> list[Runbook]:
    """Return all Runbooks that the project ships."""
    files = sorted((root / LIBRARY / "runbooks").glob("*/*.yaml"))
    return [Runbook.model_validate(_read(file)) for file in files if file.name != "kustomization.yaml"]


def shipped(root: Path) -> list[Runbook]:
    """Return those of them that the labels were written for."""
    return [book for book in library(root) if book.metadata.name in LABELLED]


def path_of(kind: str, number: int) -> Path:
    """Return where an Incident is kept."""
    return FOLDER / kind / f"{number}.yaml"


def read(kind: str, number: int) -> Json:
    """Return a recording as it is kept. Raises `FileNotFoundError`."""
    return _read(path_of(kind, number))


def keep(kind: str, number: int, fault: str, live: Mapping[str, Any], *, matcher: str | None = None) -> Path:
    """Write an Incident as the API server has it, without identities that mean nothing elsewhere; return where."""
    meta = live["metadata"]
    kept = {
        "metadata": {"name": meta["name"], "namespace": meta["namespace"]},
        "spec": _anonymous(live["spec"]),
        "status": _anonymous({name: live["status"][name] for name in _STATUS if name in live["status"]}),
    }
    told = {"fault": fault} | ({"matcher": matcher} if matcher else {}) | {"incident": kept}
    path = path_of(kind, number)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(told, sort_keys=False, width=120, allow_unicode=True), encoding="utf-8")
    return path


def _anonymous(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {k: NO_UID if k == "uid" else _anonymous(v) for k, v in value.items()}
    return [_anonymous(v) for v in value] if isinstance(value, list) else value


def _read(path: Path) -> Json:
    found: Json = yaml.load(path.read_text(encoding="utf-8"), _LOADER)
    return found
