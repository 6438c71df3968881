"""A plan to test with."""

from tests.unit.builders import HASH, deployment, template

from hemostat.action.contract import effect, once, replace
from hemostat.api.remediation import Plan

PLAN = Plan(
    summary="roll back",
    steps=once(
        effect(deployment(), (replace("/spec/template", template("1")),)),
        effect(deployment(), (replace("/spec/template", template("2")),)),
    ),
    diff="",
    replaced_pods=3,
    replicas_after=3,
    on_ineffective="Undo",
    reads_digest=HASH,
)
