"""kopf at arm's length: how objects and their changes are heard of, and nothing of kopf elsewhere but in `app`."""

from collections.abc import Callable, Mapping
from typing import Any

import kopf

from hemostat.api import GROUP, VERSION
from hemostat.api.resources import Resource

Handle = Callable[[Mapping[str, Any]], None]


def on_change(registry: kopf.OperatorRegistry, resource: Resource, handle: Handle) -> None:
    """Call `handle` with every object of this kind of ours that exists or changes, and not when it is deleted.

    `on.event` writes nothing on the object: no finalizer, no annotation. `handle` runs in a thread of its own.
    """

    @kopf.on.event(GROUP, VERSION, resource.plural, registry=registry, id=f"change-{resource.plural}")
    def handler(**event: Any) -> None:
        if event["type"] != "DELETED":
            handle(dict(event["body"]))


def follow(
    registry: kopf.OperatorRegistry, group: str, version: str, plural: str, *, put: Handle, remove: Handle
) -> None:
    """Call `put` with every object of this kind that exists or changes, and `remove` when it is deleted.

    Both run in the event loop, in the order in which the API server tells of one object: they must not wait. After
    an interruption that the API server does not remember, kopf lists all objects again and tells of them as of
    existing ones; of what was deleted meanwhile it does not tell.
    """

    @kopf.on.event(group, version, plural, registry=registry, id=f"follow-{plural}.{group}")
    async def handler(**event: Any) -> None:
        handle = remove if event["type"] == "DELETED" else put
        handle(event["event"]["object"])


def key_of(body: Mapping[str, Any]) -> tuple[str, str]:
    """Return (namespace, name)."""
    return body["metadata"]["namespace"], body["metadata"]["name"]
