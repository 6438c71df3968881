"""Who wrote an object last: people are told apart from controllers, and what nobody knows is taken for a person."""

import pytest
from tests.unit.builders import at, deployment, since

from hemostat.gate.input import Edit
from hemostat.gate.target import MAX_EDITS, told_by


def edited(*entries):
    live = deployment()
    live["metadata"]["managedFields"] = [
        {"manager": manager, "time": since(when)} | ({"subresource": sub} if sub else {})
        for manager, when, sub in entries
    ]
    return live


@pytest.mark.parametrize(
    ("manager", "sub", "person"),
    [
        ("kubectl-client-side-apply", "", True),
        ("kubectl", "scale", True),
        ("kubectl-edit", "", True),
        ("helm", "", True),
        ("terraform", "", True),
        ("kubectl-hemostat", "", True),
        ("", "", True),
        ("kubectl-edit", "status", False),
        ("kube-controller-manager", "", False),
        ("kube-controller-manager", "scale", False),
        ("argocd-application-controller", "", False),
        ("kustomize-controller", "", False),
        ("keda-operator", "", False),
        ("cluster-autoscaler", "", False),
        ("hemostat-uid-1-forward", "", False),
        ("hemostat-release", "", False),
    ],
)
def test_who_is_taken_for_a_person(manager, sub, person):
    assert told_by(edited((manager, -5, sub))).edits == ((Edit(manager, at(-5)),) if person else ())


def test_the_newest_come_first_and_there_is_a_bound():
    found = told_by(edited(*((f"p{n}", -n, "") for n in (3, 1, 2)))).edits
    assert [e.manager for e in found] == ["p1", "p2", "p3"]
    assert len(told_by(edited(*((f"p{n}", -n, "") for n in range(100)))).edits) == MAX_EDITS


@pytest.mark.parametrize("entry", [{}, {"manager": "x"}, {"manager": "x", "time": 3}, {"manager": None, "time": "x"}])
def test_what_cannot_be_understood_is_unknown(entry):
    live = deployment()
    live["metadata"]["managedFields"] = [entry]
    assert told_by(live).edits is None


def test_without_managed_fields_nobody_can_tell():
    live = deployment()
    del live["metadata"]["managedFields"]
    assert told_by(live).edits is None


@pytest.mark.parametrize(
    ("labels", "known"), [({"a": "b"}, {"a": "b"}), (None, {}), ({"a": 1}, None), ({"a": None}, None), (["a"], None)]
)
def test_labels_that_are_no_labels_are_unknown(labels, known):
    live = deployment()
    live["metadata"] |= {"labels": labels, "annotations": labels}
    assert (told_by(live).labels, told_by(live).annotations) == (known, known)
