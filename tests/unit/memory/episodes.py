"""Episodes for tests of every store; each test says only what it is about."""

from typing import Any

from tests.unit.builders import at

from hemostat.memory.episode import Ending, Episode, Outcome, Try

OOM = "OOMKilled of catalog: container app was killed for lack of memory, 4 restarts"
IMAGE = "ImagePullBackOff of cart: container cart cannot pull its image: manifest for cart:9 not found"
DNS = "ErrorRate of web -> cms: Temporary failure in name resolution; lookup cms: server misbehaving"


def episode(uid: str = "uid-1", text: str = OOM, resolved: float = 0, **changed: Any) -> Episode:
    fields: dict[str, Any] = {
        "uid": uid,
        "namespace": "shop",
        "name": f"incident-{uid}",
        "kind": "Deployment",
        "target": "catalog",
        "title": "it fails",
        "text": text,
        "ending": Ending.HEALED,
        "opened_time": at(resolved - 60),
        "resolved_time": at(resolved),
    }
    return Episode.model_validate(fields | changed)


def tried(*outcomes: Outcome, runbook: str = "bad-release", action: str = "rollback") -> tuple[Try, ...]:
    return tuple(Try(runbook=runbook, action=action, outcome=o) for o in outcomes)
