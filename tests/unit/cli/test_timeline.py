from hemostat.api.meta import set_condition
from hemostat.cli.timeline import timeline, waiting_for_a_person


def test_the_incidents_own_timeline_is_told_in_order(incident, remediation):
    assert [line.id for line in timeline(incident, [remediation])] == ["opened", "diagnosed", "waiting"]


def test_without_entries_the_conditions_tell_it(incident, remediation):
    bare = incident.model_copy(update={"status": incident.status.model_copy(update={"timeline": ()})})
    lines = timeline(bare, [remediation])
    said = [line.message for line in lines]
    assert said[0].startswith("opened: 58.3% of 36 calls")
    assert any("Diagnosed: RunbookMatched" in s for s in said)
    assert any("rollback-0-1: Admitted Unknown: NeedsApproval" in s for s in said)
    assert not any("NotYet" in s for s in said)
    assert len({line.id for line in lines}) == len(lines)
    assert lines == timeline(bare, [remediation])


def _with(remediation, kind, status, reason, now):
    conditions = set_condition(remediation.status.conditions, kind, status, reason, "", now)
    return remediation.model_copy(update={"status": remediation.status.model_copy(update={"conditions": conditions})})


def test_who_waits_for_a_person(incident, remediation):
    now = incident.spec.opened_time
    assert waiting_for_a_person(remediation)
    assert not waiting_for_a_person(_with(remediation, "Admitted", True, "Approved", now))
    assert not waiting_for_a_person(_with(remediation, "Admitted", "Unknown", "Hold", now))
    assert not waiting_for_a_person(_with(remediation, "Finished", True, "Drifted", now))
    assert waiting_for_a_person(_with(remediation, "Admitted", False, "NeedsApproval", now))
