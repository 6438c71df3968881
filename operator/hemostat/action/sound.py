"""What is wrong with an action of somebody's package, before it is ever asked to plan (pure).

A dataclass takes whatever it is given; who starts with half of an action learns of it in the middle of an incident.
"""

import re
from collections.abc import Iterator
from typing import Any

from hemostat.action.contract import Params, Rule
from hemostat.api import GROUP
from hemostat.api.meta import API_VERSIONS

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_VERBS = frozenset({"get", "list", "watch", "create", "update", "patch", "delete"})
"""What an executor can have a use for; with `escalate`, `bind`, `impersonate` or `approve` it gives itself more."""
_NEVER = frozenset({GROUP, "rbac.authorization.k8s.io", "admissionregistration.k8s.io"})
"""Groups by which `act` would approve its own plans, or lift what holds it."""


def faults(action: Any) -> Iterator[str]:
    """Yield everything that is wrong with an Action, whatever its fields hold, in words for who wrote it."""
    if not isinstance(action.name, str) or not _NAME.fullmatch(action.name):
        yield f"name {action.name!r} must be of lower-case letters, digits and dashes, 63 at most"
    if not isinstance(action.summary, str) or not action.summary.strip():
        yield "summary must say in a sentence what it does"
    if not isinstance(action.kinds, frozenset) or not action.kinds or not action.kinds <= API_VERSIONS.keys():
        yield f"kinds must be some of {', '.join(API_VERSIONS)}"
    if not isinstance(action.params, type) or not issubclass(action.params, Params):
        yield "params must be a class derived from hemostat.action.contract.Params"
    if not callable(action.plan):
        yield "plan must be a function of the world and the parameters"
    if action.on_ineffective not in ("Keep", "Undo"):
        yield f"on_ineffective must be Keep or Undo, not {action.on_ineffective!r}"
    if not isinstance(action.irreversible, str):
        yield "irreversible must say in words what nothing undoes, or be empty"
    yield from _of_rules(action)


def _of_rules(action: Any) -> Iterator[str]:
    for rules in (action.rules, action.cluster_rules):
        if not isinstance(rules, tuple):
            yield f"rules must be a tuple of Rule, not {type(rules).__name__}"
            continue
        for rule in rules:
            yield from _of_rule(rule)


def _of_rule(rule: Any) -> Iterator[str]:
    if not isinstance(rule, Rule):
        yield f"a rule must be a hemostat.action.contract.Rule, not {type(rule).__name__}"
        return
    lists: tuple[Any, ...] = (rule.resources, rule.verbs, rule.names)
    if not all(isinstance(texts, tuple) and all(isinstance(t, str) for t in texts) for texts in lists):
        yield f"rule for {rule.resources}: resources, verbs and names must be tuples of texts, such as ('pods',)"
        return
    told = f"rule for {', '.join(rule.resources) or 'nothing'} of group {rule.group or 'core'}"
    if not rule.resources or not rule.verbs:
        yield f"{told}: it must name resources and verbs"
    if "*" in (rule.group, *rule.resources, *rule.verbs):
        yield f"{told}: it must name what it needs, never *"
    elif unknown := sorted(set(rule.verbs) - _VERBS):
        yield f"{told}: {', '.join(unknown)} is none of the verbs an action may have ({', '.join(sorted(_VERBS))})"
    if rule.group in _NEVER:
        yield f"{told}: no action may write what decides on actions"
    if "secrets" in rule.resources and not rule.names:
        yield f"{told}: Secrets must be named, one by one"
