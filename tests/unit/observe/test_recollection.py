"""What was resolved is remembered, and found again as evidence; without the memory everything goes on."""

from pathlib import Path

from tests.unit.builders import T0, at, condition, incident, remediation, signal
from tests.unit.observe.town import Api, Told

from hemostat.api.incident import Evidence, EvidenceKind
from hemostat.clock import FakeClock
from hemostat.errors import Retry
from hemostat.memory.sqlite import SqliteMemory
from hemostat.observe.incident import IncidentKeeper
from hemostat.observe.recollection import Recollection
from hemostat.signals.correlate import Word
from hemostat.signals.evaluate import Look, WatchState
from hemostat.signals.workload import Scene

SAID = "checkout -> payment: 40 % of 100 calls fail, limit 5 % (from Traces), password=hunter2"


def over(name="payment-1", uid="uid-old", resolved=True):
    evidence = Evidence(
        id="E1", key="signal/x", kind=EvidenceKind.SIGNAL, subject="checkout -> payment", summary=SAID, observed_time=T0
    )
    made = incident(name, conditions=(condition("Resolved", resolved, "Healed"),), evidence=[evidence.wire()])
    return made.model_copy(update={"metadata": made.metadata.model_copy(update={"uid": uid})})


def office(tmp_path: Path, *incidents, memory=None):
    api = Api(FakeClock(at(3600)))
    for one in incidents:
        api.items[one.metadata.name] = one
    memory = memory or SqliteMemory(tmp_path / "memory.db")
    return api, memory, Recollection(memory, api, FakeClock(at(3600)))


def test_a_resolved_incident_is_remembered_once_with_what_was_tried(tmp_path):
    api, memory, past = office(tmp_path, one := over())
    done = remediation("r", {"conditions": [condition("Finished", True, "Healed"), condition("Applied")]})
    ref = done.spec.incident_ref.model_copy(update={"uid": one.metadata.uid})
    api.done["r"] = done.model_copy(update={"spec": done.spec.model_copy(update={"incident_ref": ref})})
    past.note(one.wire())
    assert past.queue._due.keys() == {("shop", "payment-1")}
    past.keep(("shop", "payment-1"))
    episode = memory.recall("uid-old", "shop")
    assert [(t.action, t.outcome) for t in episode.tries] == [("rollback", "Healed")]
    assert "hunter2" not in episode.model_dump_json()
    past.queue._due.clear()
    past.note(one.wire())
    assert not past.queue._due, "it is known"


def test_an_open_incident_and_one_that_is_gone_are_not_remembered(tmp_path):
    _, memory, past = office(tmp_path, one := over(resolved=False))
    past.note(one.wire())
    assert not past.queue._due
    assert past.keep(("shop", "gone")) is None
    assert past.keep(("shop", "payment-1")) is None
    assert memory.similar(SAID, "shop", 5) == []


def test_what_is_alike_is_evidence_of_the_next_and_of_no_other_namespace(tmp_path):
    api, _, past = office(tmp_path, over())
    past.keep(("shop", "payment-1"))
    api.items = {"payment-2": incident("payment-2")}
    keeper = IncidentKeeper(api, Told(), "observe", None, past)
    look = Look(state=WatchState(), signals=(signal(),), notes={}, dropped=0)
    keeper.keep(api.items["payment-2"], look, Scene(), Word(), None, at(3600))
    found = [e for e in api.items["payment-2"].status.evidence if e.kind is EvidenceKind.EPISODE]
    assert len(found) == 1
    assert found[0].summary.startswith("payment-1, 1 h ago, ")
    elsewhere = over("payment-3", "uid-3")
    meta = elsewhere.metadata.model_copy(update={"namespace": "bank"})
    assert past.similar(elsewhere.model_copy(update={"metadata": meta})) == []
    assert past.similar(over()) == [], "it is not like itself"


class Broken:
    def similar(self, *_):
        raise Retry("the disk is full")


def test_without_the_memory_everything_goes_on(tmp_path, caplog):
    _, _, past = office(tmp_path, memory=Broken())
    assert list(past.similar(over())) == []
    assert "is diagnosed without past ones: the disk is full" in caplog.text
