"""Agents on real pods that cannot come to an end: seen, stopped at one edge or in one conversation, and let go."""

import time
from collections.abc import Iterator
from functools import partial

import pytest

from hemostat.api.remediation import Remediation
from hemostat.api.resources import REMEDIATION
from hemostat.errors import Refused
from hemostat.guard.orders import CONFIG_MAP
from hemostat.kube import path_of
from hemostat_chaos.agents.lab import ByApiServer, Lab
from hemostat_chaos.demo import agents, play
from hemostat_chaos.demo.agents import NAMESPACE
from hemostat_chaos.demo.ready import not_ready
from hemostat_chaos.experiment.command import load
from hemostat_chaos.experiment.conversations import STOPPED
from hemostat_chaos.experiment.runner import Options, Runner
from hemostat_chaos.experiment.world import World

READY_SECONDS = 240.0
DONE_SECONDS = 120.0


@pytest.fixture(scope="module")
def lab(stage: play.Stage) -> Lab:
    """The agents, and what their owner tells Hemostat; up."""
    for folder in ("chaos/agents", "chaos/agents/hemostat"):
        stage.kubectl("apply", "--server-side", "--force-conflicts", "-k", folder)

    def missing() -> str | None:
        deployments = stage.kube.list(f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments")
        pods = stage.kube.list(f"/api/v1/namespaces/{NAMESPACE}/pods")
        return not_ready(deployments, pods, agents.NEEDED[NAMESPACE])

    stage.waiter.until("the agents are up", missing, READY_SECONDS)
    return Lab(ByApiServer(stage.kubectl, NAMESPACE))


@pytest.fixture(autouse=True)
def _alone(lab: Lab, stage: play.Stage) -> Iterator[None]:
    """Trouble that returns reopens its Incident; and no fault outlives its test."""
    play.forget(stage, NAMESPACE)
    yield
    for conversation in lab.faulty():
        lab.clear(conversation)


def orders(stage: play.Stage) -> dict[str, str]:
    found: dict[str, str] = stage.kube.get(path_of("v1", "ConfigMap", NAMESPACE, CONFIG_MAP)).get("data") or {}
    return found


@pytest.mark.timeout(900)
@pytest.mark.parametrize("trouble", ["ping-pong", "mutual-wait"])
def test_agents_that_get_nowhere_are_stopped_and_let_go_again(stage: play.Stage, lab: Lab, trouble: str) -> None:
    held: list[dict[str, str]] = []
    other: list[str] = []
    began: list[float] = []

    def at(moment: str) -> None:
        if moment == "injection":
            began.append(time.time())
        elif moment == "stopped":
            held.append(orders(stage))
            other.append(lab.begin("debate"))

    (manifest,) = load(stage.root / f"chaos/experiments/agents/{trouble}.yaml")
    manifest["spec"]["expect"] |= {"signalDeadlineSeconds": 180, "resolvedDeadlineSeconds": 480}
    world = World(stage.kube, NAMESPACE)
    result = Runner(world, stage.waiter, Options(lab=lab, at=at, steady_deadline_seconds=300)).run(manifest)
    assert result.passed, result.message

    incident = next(i for i in world.incidents() if i.metadata.name == result.incident)
    (done,) = [r for r in world.remediations(incident) if r.status.results]
    uid = done.metadata.uid
    assert [r.effect for r in done.status.results] == ["Forward", "Inverse"]
    assert any(key.startswith(uid) for key in held[0]), "it was stopped by the order of this Remediation"
    assert not any(key.startswith(uid) for key in orders(stage)), "the order is taken back"
    seconds = done.status.results[0].time.timestamp() - began[0]
    stage.waiter.say(f"    {trouble}: {seconds:.1f} s from its beginning to the order")

    everything = map(Remediation.model_validate, stage.kube.list(REMEDIATION.path(NAMESPACE)))
    applied = [r for r in everything if r.status.results]
    assert [r.metadata.name for r in applied] == [done.metadata.name], "healthy conversations went on all the while"

    # its edge and its locks are whole: it comes to its end now, and others did meanwhile
    (stopped,) = [c for c in lab.board()["conversations"] if c.startswith(trouble) and c in str(held[0])]

    def unfinished(name: str) -> str | None:
        entry = lab.board()["conversations"][name]
        if name == stopped and entry["state"] in STOPPED:
            try:
                lab.again(name, entry["kind"])
            except Refused as error:  # its owner took it up again by itself when the halt was over
                return str(error)
        return None if entry["state"] == "done" else f"{name} is {entry['state']}: {entry['said']}"

    for name in (other[0], stopped):
        stage.waiter.until(f"{name} is done", partial(unfinished, name), DONE_SECONDS)
