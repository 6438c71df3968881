"""Which kind of cluster to make: what was found out, and the choice that follows from it."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from hemostat_chaos.cluster import run
from hemostat_chaos.cluster.constants import NODE_IMAGE, PACKAGES_DEADLINE


class Way(enum.Enum):
    """How a cluster comes about."""

    CURRENT = "current"
    ORDINARY = "ordinary"
    OFFLINE = "offline"


@dataclass(frozen=True)
class Facts:
    """What this machine can do. Each fact is only asked for if those before it hold."""

    docker_answers: bool = False
    node_image_there: bool = False
    privileged_works: bool = False


@dataclass(frozen=True)
class Choice:
    """The way, and why."""

    way: Way
    reason: str

    def line(self) -> str:
        """Say it in one line."""
        return f"cluster: {self.way.value} ({self.reason})"


def choose(facts: Facts) -> Choice:
    """Choose between an ordinary kind and one made on this machine."""
    if not facts.docker_answers:
        return Choice(Way.OFFLINE, "no Docker daemon answers; everything is built here")
    if not facts.node_image_there:
        return Choice(Way.OFFLINE, f"Docker cannot pull {NODE_IMAGE}; everything is built here")
    if not facts.privileged_works:
        return Choice(Way.OFFLINE, "docker run --privileged fails; everything is built here")
    return Choice(Way.ORDINARY, "Docker and its registry answer")


def find_out() -> Facts:
    """Ask Docker, cheapest question first."""
    if not run.succeeds(["docker", "info"], deadline=10):
        return Facts()
    if not (
        run.succeeds(["docker", "image", "inspect", NODE_IMAGE], deadline=20)
        or run.succeeds(["docker", "pull", "--quiet", NODE_IMAGE], deadline=PACKAGES_DEADLINE)
    ):
        return Facts(docker_answers=True)
    privileged = run.succeeds(
        ["docker", "run", "--rm", "--privileged", "--entrypoint", "true", NODE_IMAGE],
        deadline=120,
    )
    return Facts(docker_answers=True, node_image_there=True, privileged_works=privileged)
