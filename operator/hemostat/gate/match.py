"""Which policies are about an action (pure)."""

from hemostat.gate.input import GateInput, Matched
from hemostat.gate.times import in_force


def matching(facts: GateInput) -> Matched:
    """Return the policies that are about this action, here, at this risk, now."""
    if facts.runbook is None:
        return ()
    action, risk = facts.remediation.spec.action, facts.runbook.spec.risk
    return tuple(
        p
        for p in facts.policies or ()
        if facts.namespace in (p.spec.namespaces or (facts.namespace,))
        and action in (p.spec.actions or (action,))
        and risk in (p.spec.risks or (risk,))
        and in_force(p.spec, facts.now).counts
    )
