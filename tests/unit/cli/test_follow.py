from datetime import UTC, datetime

import pytest

from hemostat.api.meta import set_condition
from hemostat.cli.follow import follow
from hemostat.clock import FakeClock
from hemostat.errors import Retry


class Told:
    def __init__(self, looks):
        self.clock = FakeClock(datetime(2026, 11, 21, 6, 0, 10, tzinfo=UTC))
        self.looks, self.lines, self.asked = list(looks), [], []

    def look(self):
        found = self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]
        if isinstance(found, Exception):
            raise found
        return found

    def run(self, timeout=5.0):
        return follow(
            self.look,
            lambda _i, entry: self.lines.append(entry.id),
            self.asked.append,
            self.clock,
            self.clock.step,
            timeout,
        )


@pytest.fixture
def resolved(incident):
    conditions = set_condition(incident.status.conditions, "Resolved", True, "Healed", "", incident.spec.opened_time)
    return incident.model_copy(update={"status": incident.status.model_copy(update={"conditions": conditions})})


def test_every_line_is_told_once_and_the_person_asked_once(incident, remediation, resolved):
    told = Told([(incident, [remediation])] * 3 + [(resolved, [])])
    assert told.run().resolved
    assert told.lines == ["opened", "diagnosed", "waiting"]
    assert told.asked == ["payment-1a2b3c4d-rollback-0-1"]


def test_a_passing_fault_of_the_api_server_does_not_end_it(incident, resolved):
    assert Told([Retry("not now"), (incident, []), Retry("again"), (resolved, [])]).run().resolved


def test_the_deadline_ends_it_and_says_what_was_wrong():
    ended = Told([Retry("API server did not answer")]).run(timeout=2)
    assert not ended.resolved
    assert ended.trouble == "API server did not answer"
    assert ended.incident is None
