"""kopf at arm's length: one way to hear of our kinds' changes, and nothing of kopf anywhere else but in `app`."""

from collections.abc import Callable, Mapping
from typing import Any

import kopf

from hemostat.api import GROUP, VERSION
from hemostat.api.resources import Resource

Handle = Callable[[Mapping[str, Any]], None]


def on_change(registry: kopf.OperatorRegistry, resource: Resource, handle: Handle) -> None:
    """Call `handle` with every object of this kind that exists or changes, and not when it is deleted.

    `on.event` writes nothing on the object: no finalizer, no annotation.
    """

    @kopf.on.event(GROUP, VERSION, resource.plural, registry=registry)
    def handler(**event: Any) -> None:
        if event["type"] != "DELETED":
            handle(dict(event["body"]))


def key_of(body: Mapping[str, Any]) -> tuple[str, str]:
    """Return (namespace, name)."""
    return body["metadata"]["namespace"], body["metadata"]["name"]
