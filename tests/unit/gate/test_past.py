"""That a person took an action back is never overlooked: a mark without a time, or with any other, asks a person.

Seen: without one, or with one that cannot be read, it was as if nobody had taken it back.
"""

from dataclasses import replace
from typing import Any

import pytest
from tests.unit.builders import at, condition, remediation
from tests.unit.gate.test_checks import GOOD

from hemostat.api.identity import TAKEN_BACK_BY, TAKEN_BACK_TIME
from hemostat.api.remediation import ADMITTED, UNDONE
from hemostat.clock import rfc3339
from hemostat.gate.brakes import human_edit
from hemostat.gate.input import ASK, PASS, GateInput, Verdict
from hemostat.gate.match import matching
from hemostat.gate.past import past_actions
from hemostat.gate.recent import needed


def marked(when: str | None, *conditions: Any) -> GateInput:
    """Return the facts after an action on the same target was marked."""
    done = remediation("before", {"conditions": [condition(ADMITTED, when=-5000), *conditions]})
    said = {TAKEN_BACK_BY: "ann"} | ({TAKEN_BACK_TIME: when} if when is not None else {})
    done = done.model_copy(update={"metadata": done.metadata.model_copy(update={"annotations": said})})
    return needed(replace(GOOD, past=past_actions([done])))


def asked(facts: GateInput) -> Verdict:
    return human_edit(facts, matching(facts))


@pytest.mark.parametrize("when", [None, "", "yesterday", "2026-99-01T00:00:00Z", "9" * 300])
def test_without_a_time_that_can_be_read_a_person_decides(when: str | None) -> None:
    outcome, why = asked(marked(when))
    assert outcome is ASK
    assert why.startswith(f"ann took before back ({TAKEN_BACK_TIME} does not say when)")


@pytest.mark.parametrize(("ago", "outcome"), [(10, ASK), (100_000, PASS)])
def test_a_time_that_can_be_read_counts(ago: float, outcome: Any) -> None:
    assert asked(marked(rfc3339(at(-ago))))[0] is outcome


@pytest.mark.parametrize("when", [None, "2001-01-01T00:00:00Z"])
@pytest.mark.parametrize(("ago", "outcome"), [(10, ASK), (100_000, PASS)])
def test_when_act_saw_it_counts_whatever_the_mark_says(when: str | None, ago: float, outcome: Any) -> None:
    assert asked(marked(when, condition(UNDONE, True, "TakenBack", -ago)))[0] is outcome
