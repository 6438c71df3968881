"""What an answer rests on, taken away: the answer or its confidence changes, the matcher's as well as the model's."""

import pytest
from tests.unit.builders import at, incident, runbook, signal, symptom
from tests.unit.diagnosis.panel.scripted import claim, finding, is_aggregator, verdict
from tests.unit.observe.test_consulting import FAILS, Office

from hemostat.api.incident import EvidenceKind
from hemostat.api.meta import find
from hemostat.signals.changes import ChangeKind, Noted, Ref

SETTINGS = Noted(ChangeKind.CONFIG, Ref("ConfigMap", "shop", "settings"), at(-60), "key MODE changed")
CHANGED = "changes.exists(c, c.kind == 'ConfigMap')"
BOOKS = [
    runbook("plain", symptoms=[symptom("fails", FAILS, 2, "Required"), symptom("changed", CHANGED, 2)]),
    runbook("other", symptoms=[symptom("fails", FAILS, 3, "Required"), symptom("never", "size(signals) > 30")]),
]
DECISIVE = claim("settings were changed a minute before", "settings", ["E2"])


def concluded(noted, reply, kinds=frozenset(EvidenceKind), books=BOOKS):
    """Return the Runbook and its confidence, and what came of asking a model."""
    office = Office(reply, books=books, kinds=kinds)
    office.api.noted = list(noted)
    office.api.items["payment-1"] = incident()
    office.settle(signal())
    office.consultant.stop()
    diagnosis = office.status.diagnosis
    ref = diagnosis.runbook_ref
    percent = {h.runbook: h.confidence_percent for h in diagnosis.hypotheses}
    return (ref and ref.name, ref and percent[ref.name]), find(office.status.conditions, "Consulted").reason


def insists(messages):
    """A model that says the same whatever it is shown."""
    return verdict("plain", DECISIVE, confidence=90) if is_aggregator(messages) else finding(DECISIVE)


def test_the_model_s_answer_rests_on_the_evidence_it_cites():
    answer, why = concluded([SETTINGS], insists)
    assert (answer, why) == (("plain", 90), "Agrees")
    without, why = concluded([], insists)
    assert without != answer
    assert why == "Ungrounded"


@pytest.mark.parametrize("kept_back", [EvidenceKind.CHANGE])
def test_what_a_model_was_not_shown_bears_no_answer_of_its(kept_back):
    """The item exists; the Namespace does not let it out, so whoever cites it guessed."""
    _, why = concluded([SETTINGS], insists, frozenset(EvidenceKind) - {kept_back})
    assert why == "Ungrounded"


def test_the_matcher_s_answer_changes_without_the_model_too():
    def silent(_):
        return "no JSON"

    (name, percent), _ = concluded([SETTINGS], silent)
    assert (name, percent) == ("plain", 100)
    (name, percent), _ = concluded([], silent)
    assert name != "plain" or percent < 100
