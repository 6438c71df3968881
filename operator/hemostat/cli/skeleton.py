"""The files of a package with one action of somebody's own, to begin with (pure text)."""

import re

from hemostat.errors import Refused

_NAME = re.compile(r"[a-z]([-a-z0-9]{0,48}[a-z0-9])?")


def files(name: str) -> dict[str, str]:
    """Return the text of each file by its path. Raises `Refused` (BadName) for what cannot name a package."""
    if not _NAME.fullmatch(name):
        raise Refused("BadName", f"{name!r}: a letter first, then lower-case letters, digits and dashes, 50 at most")
    module = f"hemostat_{name.replace('-', '_')}"
    words = {
        "@NAME@": name,
        "@MODULE@": module,
        "@CONST@": name.replace("-", "_").upper(),
        "@CLASS@": "".join(part.capitalize() for part in name.split("-")),
    }
    return {
        path: _filled(text, words)
        for path, text in {
            "pyproject.toml": _PROJECT,
            f"src/{module}/__init__.py": '"""Actions for Hemostat."""\n',
            f"src/{module}/action.py": _ACTION,
            f"tests/test_{name.replace('-', '_')}.py": _TESTS,
        }.items()
    }


def _filled(text: str, words: dict[str, str]) -> str:
    for word, meant in words.items():
        text = text.replace(word, meant)
    return text


_PROJECT = """\
[build-system]
requires = ["hatchling>=1.27"]
build-backend = "hatchling.build"

[project]
name = "hemostat-@NAME@"
version = "0.1.0"
description = "Action @NAME@ for Hemostat"
requires-python = ">=3.11"
dependencies = ["hemostat"]

# Hemostat finds actions by this entry point and imports nothing else. The name must be the action's own.
[project.entry-points."hemostat.remediations"]
@NAME@ = "@MODULE@.action:@CONST@"

[tool.hatch.build.targets.wheel]
packages = ["src/@MODULE@"]
"""

_ACTION = '''\
"""`@NAME@`: what it does, and when one would want it. This one annotates its target: put in what yours does.

`plan` is pure: it looks at the world that it is given and returns what is to be written and what takes that back.
Hemostat reads the world, asks the gate, writes, verifies and undoes. Whatever stands in the way is `Refused`, in words
that tell a person what to do.
"""

from typing import Annotated

from hemostat.action.contract import Action, Draft, Params, Rule, World, add, effect, once, remove, unified_diff
from hemostat.errors import Refused
from pydantic import Field

ANNOTATION = "example.com/@NAME@"
PATH = "/metadata/annotations"


class @CLASS@Params(Params):
    """What a Runbook may say. Every parameter has a bound; a Runbook writes its values as text."""

    note: Annotated[str, Field(min_length=1, max_length=200)] = "looked after by Hemostat"
    """What to write."""


def plan(world: World, params: @CLASS@Params) -> Draft:
    """Plan to annotate the target, and to take the annotation away again."""
    target = world.target
    name = f"{target['kind']} {target['metadata']['name']}"
    known = target["metadata"].get("annotations")
    if known and ANNOTATION in known:
        raise Refused("AlreadyThere", f"{name} bears {ANNOTATION} already; remove it if it is out of date")
    key = f"{PATH}/{ANNOTATION.replace('/', '~1')}"
    forward = add(key, params.note) if known else add(PATH, {ANNOTATION: params.note})
    inverse = remove(key if known else PATH)
    return Draft(
        summary=f"Annotate {name}: {params.note}",
        steps=once(effect(target, (forward,)), effect(target, (inverse,))),
        diff=unified_diff(known or {}, {**(known or {}), ANNOTATION: params.note}, f"{name} metadata.annotations"),
        replaced_pods=0,
        replicas_after=world.replicas,
        reads={"annotations": known},  # when this changes before it is carried out, the plan is made anew
    )


@CONST@ = Action(
    name="@NAME@",
    summary="Annotate a workload",
    kinds=frozenset({"Deployment", "StatefulSet", "DaemonSet"}),
    params=@CLASS@Params,
    rules=(Rule("apps", ("deployments", "statefulsets", "daemonsets"), ("patch",)),),  # these and no others
    plan=plan,
    on_ineffective="Undo",
    irreversible="",  # what nothing undoes, and why; then a person always decides
)
'''

_TESTS = '''\
"""What is planned, that the inverse takes it back, what is refused, and that Hemostat finds it."""

from copy import deepcopy

import pytest
from hemostat.action.contract import World
from hemostat.action.registry import discover
from hemostat.errors import Refused
from @MODULE@.action import ANNOTATION, @CONST@, @CLASS@Params, plan

TARGET = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "payment", "namespace": "shop", "uid": "u-1", "annotations": {"team": "orders"}},
    "spec": {"replicas": 2},
}


def bare():
    target = deepcopy(TARGET)
    del target["metadata"]["annotations"]
    return target


@pytest.mark.parametrize("target", [TARGET, bare()])
def test_what_is_written_is_what_the_inverse_takes_away(target):
    (step,) = plan(World(target=target), @CLASS@Params()).steps
    assert [op.op.value for op in step.forward.ops] == ["add"]
    assert step.inverse is not None
    assert [(op.op.value, op.path) for op in step.inverse.ops] == [("remove", step.forward.ops[0].path)]


def test_what_is_there_already_is_left_alone():
    target = deepcopy(TARGET)
    target["metadata"]["annotations"][ANNOTATION] = "by hand"
    with pytest.raises(Refused, match="already"):
        plan(World(target=target), @CLASS@Params())


def test_hemostat_finds_it():
    """Needs the package to be installed: pip install -e ."""
    assert discover(["@NAME@"]) == {"@NAME@": @CONST@}
'''
