from datetime import timedelta

import pytest

from hemostat.api.meta import set_condition
from hemostat.cli.state import seconds_to_resolve, state


def _with(incident, *conditions):
    found = ()
    for kind, status, reason in conditions:
        found = set_condition(found, kind, status, reason, "", incident.spec.opened_time + timedelta(seconds=41))
    return incident.model_copy(update={"status": incident.status.model_copy(update={"conditions": found})})


@pytest.mark.parametrize(
    ("conditions", "said"),
    [
        ((), "Open"),
        ((("Resolved", False, "Open"),), "Open"),
        ((("Remediated", "Unknown", "NotYet"), ("Resolved", False, "Open")), "Open"),
        ((("Remediated", "Unknown", "Hold"), ("Resolved", False, "InProgress")), "Open: Hold"),
        ((("Remediated", "Unknown", "NeedsApproval"), ("Resolved", False, "InProgress")), "Open: NEEDS APPROVAL"),
        ((("Remediated", True, "Applied"), ("Verified", "Unknown", "NotYet")), "Open: applied, verifying (NotYet)"),
        ((("Remediated", "Unknown", "Denied"), ("Resolved", False, "Denied")), "Open: PERSON NEEDED (Denied)"),
        ((("Remediated", True, "Applied"), ("Resolved", True, "Healed")), "Resolved: Healed"),
        ((("Remediated", "Unknown", "Reopened"), ("Resolved", False, "Reopened")), "Open: Reopened"),
        ((("Remediated", "Unknown", "NotYet"), ("Resolved", False, "Flapping")), "Open: PERSON NEEDED (Flapping)"),
    ],
)
def test_state_says_first_what_matters(incident, conditions, said):
    assert state(_with(incident, *conditions))[0] == said


def test_how_long_it_took(incident):
    assert seconds_to_resolve(incident) is None
    assert seconds_to_resolve(_with(incident, ("Resolved", True, "Healed"))) == 41
