"""The sets are what the manifest says, today and tomorrow, on every machine."""

import json
from dataclasses import replace

from tests.bench.agentworld import __main__ as command
from tests.bench.agentworld.scenarios import FAMILIES
from tests.bench.agentworld.sets import ALONE, NOVEL, SETS, UNSEEN, digest, truths
from tests.bench.agentworld.truth import KINDS


def test_the_truth_of_a_set_has_not_drifted():
    assert digest(SETS["tiny"]) == json.loads(command.DIGESTS.read_text())["tiny"]


def test_every_set_has_its_digest():
    assert json.loads(command.DIGESTS.read_text()).keys() == SETS.keys()


def test_the_command_writes_telemetry_and_truth(tmp_path):
    told = command.write(replace(SETS["small"], pairs=0, storms=0), tmp_path)
    lines = (tmp_path / "truth.jsonl").read_text().splitlines()
    assert [json.loads(line)["conversation"] for line in lines] == [truth.conversation for truth in told]
    for name, key in (("traces", "resourceSpans"), ("logs", "resourceLogs")):
        text = (tmp_path / f"{name}.jsonl").read_text().splitlines()
        assert text
        assert all(json.loads(line)[key] for line in text)


def test_every_kind_occurs_and_storms_have_one_incident_each():
    found = list(truths(SETS["small"]))
    assert {truth.kind for truth in found} - {""} == set(KINDS)
    assert len({truth.incident for truth in found if truth.kind == "RetryStorm"}) == 1


def test_the_figures_set_is_large_enough():
    spec = SETS["main"]
    pairs = spec.pairs * len(set(FAMILIES) - set(ALONE))
    assert pairs >= 1500
    assert pairs + spec.healthy >= 3000
    assert 2 * pairs + spec.healthy >= 5000


def test_what_is_held_out_never_occurs_in_tuning():
    spec = replace(SETS["tuning"], pairs=1, storms=0, healthy=60)
    found = list(truths(spec))
    assert len(found) > 80
    assert not [t for t in found if t.novel or t.family in NOVEL or t.convention in UNSEEN]
    assert any(truth.novel for truth in truths(SETS["small"]))
    assert all(name.partition("/")[0] in FAMILIES for name in NOVEL)
