"""The Runbook library as a whole: each is chosen for what it was written for although all others are there, too."""

from dataclasses import replace
from itertools import combinations

import pytest
import yaml
from tests.unit.library.cases import ROOT, books, cases, recordings

from hemostat.action.registry import discover
from hemostat.api.runbook import RunbookState
from hemostat.diagnosis.lint import lint
from hemostat.diagnosis.matcher import holds, match, world
from hemostat.diagnosis.recall import recall

CASES = list(cases())
BY_NAME = {book.metadata.name: book for book in books()}
ELSEWHERE = {
    "account-deleted": "pods-refused",
    "autoscaler-maximum": "autoscaler-at-maximum",
    "config-key-removed": "configmap-wrong",
    "config-key-removed-after-rollout": "configmap-wrong",
    "cordoned": "node-closed",
    "dependency-gone": "scaled-to-nothing",
    "failed-cron-job": "cron-job-fails",
    "failed-job": "job-failed",
    "liveness": "liveness-kills",
    "no-room-after-rollout": "scaled-beyond-room",
    "no-room-for-more": "scaled-beyond-room",
    "node-not-ready": "node-down",
    "node-not-ready-after-rollout": "node-down",
    "node-pressure": "node-under-pressure",
    "node-pressure-after-rollout": "node-under-pressure",
    "quota": "quota-exhausted",
    "quota-after-rollout": "quota-exhausted",
    "readiness": "readiness-fails",
    "rollout-halves-capacity": "rollout-lost-capacity",
    "secret-key-removed": "secret-key-missing",
    # evidence does not tell that the newest revision had come up, and Secrets are not followed
    "secret-key-removed-after-rollout": "bad-rollout",
    "stateful-bad-image": "bad-rollout-stateful",
    # what is wrong is told, what was changed is not
    "no-changes-known/3": "out-of-memory",
    "no-changes-known/4": "pods-refused",
    "no-changes-known/5": "image-cannot-be-pulled",
    "no-changes-known/6": "crash-loop",
}
"""What is right for a kind of recording, or one of them, where the library knows more than the six Runbooks for which
`tests/incidents/kinds.yaml` was written; for the others its labels hold. Written down in the light of the answers."""


def chosen(facts):
    conclusion = match(books(), facts.target["kind"], facts, ())
    ref = conclusion.diagnosis.runbook_ref
    return (ref.name if ref is not None else None), conclusion


def missing(runbook, facts):
    variables = world(facts.cel())
    return [s.name for s in runbook.spec.symptoms if s.necessity == "Required" and holds(s, variables) is not True]


def test_every_runbook_has_a_case_and_there_is_none_for_another():
    assert sorted(BY_NAME) == sorted(case.runbook for case in CASES)
    assert len(BY_NAME) == len(books()) >= 40


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.runbook)
def test_what_it_was_written_for_is_found_among_all_others(case):
    name, conclusion = chosen(case.match)
    assert name == case.runbook, conclusion.message


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.runbook)
def test_a_near_miss_lacks_one_thing_and_is_not_matched(case):
    book = BY_NAME[case.runbook]
    assert case.near.target["kind"] in book.spec.kinds
    assert missing(book, case.near) == [case.lacks]
    name, conclusion = chosen(case.near)
    assert name != case.runbook
    (said,) = [h for h in conclusion.diagnosis.hypotheses if h.runbook == case.runbook] or [None]
    assert said is None or said.ruled_out == f"required symptom not found: {case.lacks}"


@pytest.mark.parametrize("one", recordings().values(), ids=lambda r: r.id)
def test_what_faults_on_real_pods_looked_like_gets_the_right_one_or_none(one):
    name, conclusion = chosen(recall(one.incident).facts)
    wanted = ELSEWHERE.get(one.id, ELSEWHERE.get(one.kind))
    right = name == wanted if wanted is not None else one.label.right(name)
    assert right, f"{name}: {conclusion.message}"


def test_no_two_of_them_weigh_the_same_where_both_are_seen_at_once():
    """Then neither would be chosen. Troubles come together: the evidence of both is put together."""
    tied = []
    for one, other in combinations(CASES, 2):
        pair = [BY_NAME[one.runbook], BY_NAME[other.runbook]]
        if one.match.target["kind"] != other.match.target["kind"]:
            continue
        facts = replace(
            one.match,
            **{
                n: getattr(one.match, n) + getattr(other.match, n)
                for n in ("signals", "changes", "troubles", "aspects")
            },
            callee_changes=one.match.callee_changes + other.match.callee_changes,
        )
        if match(pair, one.match.target["kind"], facts, ()).reason == "RunbooksTie":
            tied.append((one.runbook, other.runbook))
    assert tied == []


@pytest.mark.parametrize("book", books(), ids=lambda b: b.metadata.name)
def test_it_is_sound_and_says_what_a_person_needs(book):
    assert [str(found) for found in lint(book, discover())] == []
    assert book.metadata.namespace is None
    assert book.spec.state is RunbookState.ACTIVE
    for part in ("**What it looks like.**", "**Afterwards.**"):
        assert part in book.spec.guidance


def test_what_may_break_most_is_not_called_a_low_risk():
    for book in books():
        acts = {r.action for r in book.spec.remediations}
        assert book.spec.risk != "Low" or not acts & {"rollback", "drain-node", "set-resources", "rerun-job"}, book


def test_kustomize_takes_every_file_of_the_library():
    """A Runbook that is not listed is not installed, and nobody misses it."""
    for folder in [ROOT / "remediations", *sorted((ROOT / "remediations/runbooks").iterdir())]:
        listed = yaml.safe_load((folder / "kustomization.yaml").read_text(encoding="utf-8"))["resources"]
        at = folder / "runbooks" if folder.name == "remediations" else folder
        there = [p for p in at.iterdir() if p.name != "kustomization.yaml"]
        assert listed == sorted(str(p.relative_to(folder)) for p in there)
