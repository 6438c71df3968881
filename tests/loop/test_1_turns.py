"""Whole turns of the loop, and two of them while both processes are killed again and again."""

import json
import random
import threading
from pathlib import Path

import pytest

from hemostat.api.incident import RESOLVED
from hemostat.api.meta import find
from hemostat.api.remediation import APPLIED, Remediation
from hemostat.api.resources import REMEDIATION
from hemostat.errors import HemostatError
from hemostat_chaos.demo import command, play
from hemostat_chaos.demo.kill import DEPLOYMENTS, _delete_pods
from hemostat_chaos.experiment.runner import Runner
from hemostat_chaos.experiment.world import World


def remediations(stage: play.Stage) -> list[Remediation]:
    return [Remediation.model_validate(o) for o in stage.kube.list(REMEDIATION.path("shop"))]


def assert_each_applied_once(stage: play.Stage) -> None:
    for remediation in remediations(stage):
        effects = [r.effect for r in remediation.status.results]
        assert effects.count("Forward") <= 1, remediation.metadata.name
        assert (find(remediation.status.conditions, APPLIED) is not None) == ("Forward" in effects)


@pytest.mark.timeout(600)
def test_all_turns_heal_and_leave_nothing_behind(stage: play.Stage, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    assert command.main(["--output", str(report)]) == 0
    said = json.loads(report.read_text())
    assert said["healed"] is True
    assert 0 < said["time_to_detect_seconds"] < said["time_to_recover_seconds"] < 180
    assert said["agents"]["tokens_saved"] > 0
    assert [e["name"] for e in said["experiments"]] == ["bad-rollout", "saturation", "ping-pong"]
    assert_each_applied_once(stage)
    actions = sorted(r.spec.action for r in remediations(stage))
    assert actions == ["rollback", "scale"]
    for incident in World(stage.kube, "shop").incidents():
        resolved = find(incident.status.conditions, RESOLVED)
        assert resolved is not None
        assert (resolved.status, resolved.reason) == ("True", "Healed")


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("name", "seed"), [("bad-rollout", 1), ("saturation", 2)])
def test_killed_at_random_moments_it_still_heals_once(stage: play.Stage, name: str, seed: int) -> None:
    """Each process is killed several times at seeded random moments of the turn; nothing is lost or done twice."""
    play.wait_ready(stage)
    play.wait_baseline(stage)
    chosen, stop = random.Random(seed), threading.Event()
    killed: list[str] = []

    def kill() -> None:
        while len(killed) < 6 and not stop.wait(chosen.uniform(1.0, 7.0)):
            process = chosen.choice(sorted(DEPLOYMENTS))
            try:
                _delete_pods(DEPLOYMENTS[process], stage.kube, stage.kubectl)
            except HemostatError as error:
                stage.waiter.say(f"    could not kill {process}: {error}")
                continue
            killed.append(process)
            stage.waiter.say(f"    killed {process}")

    world = World(stage.kube, "shop")
    before = {i.metadata.name for i in world.incidents()}
    thread = threading.Thread(target=kill)
    thread.start()
    try:
        result = Runner(world, stage.waiter, stage.options).run(play.experiment(stage, name))
    finally:
        stop.set()
        thread.join(timeout=60)
    stage.kubectl("apply", "--server-side", "-k", "chaos/shop")
    assert result.passed, result.message
    assert killed
    opened = [i for i in world.incidents() if i.metadata.name not in before]
    target = "payment" if name == "bad-rollout" else "catalog"
    assert [i.spec.watch_ref.name for i in opened if i.spec.watch_ref.name == target] == [target]
    assert_each_applied_once(stage)
    # a machine that is short of CPU may show trouble elsewhere too, but nothing else may have been touched
    effects = [(r.spec.target_ref.name, e.effect) for r in remediations(stage) for e in r.status.results]
    assert effects == [(target, "Forward")]
