"""Who is who, and Services that are called: Runbooks say it, for nothing in the cluster does."""

from collections.abc import Mapping
from typing import Any

from hemostat.action.calls.base import address_of, service_of
from hemostat.action.contract import World
from hemostat.errors import Refused


def pairs(text: str) -> dict[str, str]:
    """Return `agent=value, agent=value` as a mapping. Raises ValueError for anything else."""
    found: dict[str, str] = {}
    for part in filter(str.strip, text.split(",")):
        agent, equals, value = (piece.strip() for piece in part.partition("="))
        if not agent or not equals or not value or "=" in value:
            raise ValueError("must be agent=value, separated by commas")
        found[agent] = value
    return found


def service(world: World, url: str) -> Mapping[str, Any]:
    """Return the Service that the URL names. Raises `Refused`: BadParameters, NoService."""
    namespace = world.target["metadata"]["namespace"]
    name = service_of(url, namespace)
    for found in world.services:
        if found["metadata"]["name"] == name:
            address_of(found)  # refuses where there is none to call
            return found
    raise Refused("NoService", f"there is no Service {name} in namespace {namespace}, which the Runbook would call")
