"""Which policies are about an action, and why others are not (pure)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from hemostat.api.gatepolicy import Decision, GatePolicy, Operator, Requirement, Selector
from hemostat.api.runbook import Risk
from hemostat.clock import rfc3339
from hemostat.gate.input import GateInput, Matched
from hemostat.gate.times import in_force, next_open
from hemostat.gate.wellformed import strangers


@dataclass(frozen=True, slots=True)
class About:
    """What policies are matched against."""

    namespace: str
    action: str
    risk: Risk
    labels: Mapping[str, str] | None
    """Of the target; None: they could not be read, and a policy that asks for some is taken to be about it."""


def matching(facts: GateInput) -> Matched:
    """Return the policies that are about this action, on this target, here, at this risk, now."""
    if facts.runbook is None:
        return ()
    spec, risk = facts.remediation.spec, facts.runbook.spec.risk
    about = About(facts.namespace, spec.action, risk, facts.target.labels)
    return tuple(p for p in facts.policies or () if not why_not(p, about, facts.now))


def unclear(facts: GateInput) -> Matched:
    """Return the policies that restrict, would be about this but for their `actions`, and name one that there is not.

    What was meant cannot be known, and it may have been this action.
    """
    if facts.runbook is None:
        return ()
    spec, risk = facts.remediation.spec, facts.runbook.spec.risk
    about = About(facts.namespace, spec.action, risk, facts.target.labels)
    naming = (p for p in facts.policies or () if p.spec.decision is not Decision.AUTO)
    wrong = (p for p in naming if spec.action not in p.spec.actions and strangers(p, facts.actions))
    return tuple(p for p in wrong if not why_not(_of_all_actions(p), about, facts.now))


def _of_all_actions(policy: GatePolicy) -> GatePolicy:
    return policy.model_copy(update={"spec": policy.spec.model_copy(update={"actions": ()})})


def why_not(policy: GatePolicy, about: About, now: datetime) -> str:
    """Return why a policy does not count for an action, in words; empty if it does."""
    spec = policy.spec
    if spec.namespaces and about.namespace not in spec.namespaces:
        return f"it is about namespace {', '.join(spec.namespaces[:4])}"
    if spec.actions and about.action not in spec.actions:
        return f"it is about action {', '.join(spec.actions[:4])}"
    if spec.risks and about.risk not in spec.risks:
        return f"it is about risk {', '.join(spec.risks)}, and this is {about.risk}"
    if about.labels is not None and not selects(spec.selector, about.labels):
        return "its selector does not match the labels of the target"
    force = in_force(spec, now)
    return "" if force.counts else str(force) or _not_now(policy, now)


def _not_now(policy: GatePolicy, now: datetime) -> str:
    begins = next_open(policy.spec, now)
    return "it is not in force now" + (f", but from {rfc3339(begins)[:16]}Z on" if begins is not None else "")


def selects(selector: Selector, labels: Mapping[str, str]) -> bool:
    """Tell whether a selector means an object with these labels, as Kubernetes does.

    https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors
    """
    if any(labels.get(key) != value for key, value in selector.match_labels.items()):
        return False
    return all(_holds(wanted, labels) for wanted in selector.match_expressions)


def _holds(wanted: Requirement, labels: Mapping[str, str]) -> bool:
    there = wanted.key in labels
    if wanted.operator in (Operator.EXISTS, Operator.DOES_NOT_EXIST):
        return there is (wanted.operator is Operator.EXISTS)
    return (there and labels[wanted.key] in wanted.values) is (wanted.operator is Operator.IN)
