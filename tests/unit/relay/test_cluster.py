"""What is asked of the API server ends soon when it does not answer: one thread writes all messages."""

import pytest

from hemostat.errors import Retry
from hemostat.relay.cluster import Cluster


class Kube:
    """Answers so many reviews, and then no more."""

    def __init__(self, answers, listed=(), now=None):
        self.answers, self.listed, self.asked, self.server_now = answers, listed, 0, lambda: now

    def list(self, path, **query):
        return self.listed

    def create(self, path, body, manager):
        self.asked += 1
        if self.asked > self.answers:
            raise Retry("no answer within 10 s")
        return {"status": {"allowed": True}}


@pytest.fixture
def people(tmp_path):
    for number in range(20):
        (tmp_path / f"U{number:02d}").write_text(f"user{number:02d}")
    return str(tmp_path)


def test_who_may_decide_is_asked_until_one_cannot_be(people, remediation):
    kube = Kube(answers=3)
    assert Cluster(kube, people).deciders(remediation) == ("user00", "user01", "user02")
    assert kube.asked == 4  # else twenty deadlines in a row


def test_who_has_approved_is_asked_until_one_cannot_be(people, remediation, approval):
    decision = remediation.status.decision.model_copy(update={"quorum": 3})
    status = remediation.status.model_copy(update={"decision": decision, "plan_hash": approval.spec.plan_hash})
    told = [_of(approval, remediation, f"user{number:02d}") for number in range(20)]
    kube = Kube(answers=2, listed=told, now=approval.metadata.creation_timestamp)
    said = Cluster(kube, people).heard(remediation.model_copy(update={"status": status}))
    assert said == "2 of 3 people approved (user00, user01)"
    assert kube.asked == 3


def _of(approval, remediation, user):
    body = approval.model_dump(mode="json", by_alias=True, exclude_none=True)
    body["metadata"] |= {"name": user}
    body["spec"] |= {"approver": user, "remediation": remediation.metadata.name, "decision": "Approve"}
    return body
