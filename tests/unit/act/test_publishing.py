"""What is published of the log never goes back, whoever wrote last; and a log that lacks it is not gone on with."""

from types import SimpleNamespace

import pytest

from hemostat.act.publishing import HEAD, Publisher
from hemostat.audit.checkpoint import Checkpoint
from hemostat.audit.keys import Signer
from hemostat.audit.tree import Tree, leaf_hash
from hemostat.errors import Refused, Retry
from hemostat.kube import Conflict, NotFound

SIGNER, _ = Signer.generate("hemostat.dev/audit")
NOBODY = SimpleNamespace(emit=lambda *_, **__: None)


class Log:
    """A log in a database, where several processes see the same."""

    verifier = SIGNER.verifier

    def __init__(self, *records):
        self.records = list(records)

    def size(self):
        return 0

    def _head(self, size):
        tree = Tree()
        for record in self.records[:size]:
            tree.add(leaf_hash(record))
        return Checkpoint("hemostat.dev/audit", len(tree), tree.root())

    def checkpoint(self):
        return self._head(len(self.records)).signed(SIGNER) if self.records else None

    def holds(self, head):
        return self._head(head.size) == head


class Cluster:
    """One ConfigMap."""

    def __init__(self):
        self.live = {"metadata": {"name": "hemostat-audit", "resourceVersion": "1"}}
        self.before = lambda: None

    def get(self, _):
        if self.live is None:
            raise NotFound("no ConfigMap")
        return {**self.live}

    def apply(self, _, body, __, *, force):
        assert force
        before, self.before = self.before, lambda: None
        before()
        version = self.live["metadata"]["resourceVersion"]
        if body["metadata"]["resourceVersion"] != version:
            raise Conflict("the object has been modified")
        self.live = {"metadata": {**self.live["metadata"], "resourceVersion": version + "1"}, "data": body["data"]}
        return self.live

    def head(self):
        return Checkpoint.read(self.live["data"][HEAD]).size


def publisher(cluster, log):
    return Publisher(cluster, log, NOBODY)


def test_a_head_that_is_on_its_way_while_another_process_goes_on_does_not_take_its_head_back():
    log, cluster = Log(b"a"), Cluster()
    old, new = publisher(cluster, log), publisher(cluster, log)
    old.publish()

    def another_one_acts():
        log.records.append(b"c")
        new.publish()

    log.records.append(b"b")
    cluster.before = another_one_acts
    with pytest.raises(Retry, match="written to by somebody else"):
        old.publish()
    assert cluster.head() == 3
    old.publish()
    assert cluster.head() == 3


def test_what_another_process_published_of_another_log_is_not_overwritten():
    """Two that each have a file of their own: one of them is not the log that others know."""
    cluster, mine = Cluster(), Log(b"a")
    one = publisher(cluster, mine)
    one.publish()
    assert one.compared.is_set()
    cluster.live["data"] = {HEAD: Log(b"a", b"x", b"y").checkpoint()}
    mine.records.append(b"b")
    with pytest.raises(Refused, match="held 3 records"):
        one.publish()
    assert cluster.head() == 3
    assert not one.compared.is_set(), "nothing may rest on it"


def test_a_log_that_was_cut_off_is_not_gone_on_with():
    cluster, log = Cluster(), Log(b"a", b"b")
    publisher(cluster, log).publish()
    again = publisher(cluster, Log(b"a"))
    with pytest.raises(Refused, match="begin another one"):
        again.publish()
    assert not again.compared.is_set()
    del cluster.live["data"]
    again.publish()
    assert (again.compared.is_set(), cluster.head()) == (True, 1)


def test_nothing_is_asked_where_nothing_is_new():
    cluster, log = Cluster(), Log(b"a")
    one = publisher(cluster, log)
    one.publish()
    cluster.get = None
    assert one.publish() == 10


def test_an_empty_log_is_compared_and_publishes_nothing():
    cluster = Cluster()
    one = publisher(cluster, Log())
    one.publish()
    assert one.compared.is_set()
    assert "data" not in cluster.live
