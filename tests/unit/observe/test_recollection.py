"""What was resolved is remembered, and found again as evidence; without the memory everything goes on."""

from pathlib import Path

from tests.unit.builders import T0, at, condition, incident, remediation, signal
from tests.unit.memory.episodes import episode
from tests.unit.observe.town import Api, Told

from hemostat.api.identity import LESSON, LESSON_BY
from hemostat.api.incident import Evidence, EvidenceKind, Lesson
from hemostat.api.remediation import Calibration
from hemostat.clock import FakeClock
from hemostat.diagnosis.redact import redact
from hemostat.errors import Retry
from hemostat.memory.episode import Outcome, Try, text_of
from hemostat.memory.sqlite import SqliteMemory
from hemostat.observe.incident import IncidentKeeper
from hemostat.observe.lessons import Lessons
from hemostat.observe.recollection import Recollection
from hemostat.observe.worth import Worth, curves
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


def test_a_lesson_is_not_crowded_out_by_what_taught_nothing(tmp_path):
    """Three Incidents that had cleared by themselves were shown, and what a person had learnt of one was not."""
    _, memory, past = office(tmp_path)
    asked = over("payment-9", "uid-new")
    text = text_of(asked, redact)
    more = {
        "lesson": {"lesson": "roll back at once [E1]", "ending": "ByItself"},
        "tried": {"tries": [Try(runbook="r", action="rollback", outcome=Outcome.INEFFECTIVE)], "ending": "ByItself"},
        "unfit": {"tries": [Try(runbook="r", action="rollback", outcome=Outcome.NOT_APPLIED)], "ending": "Abandoned"},
    }
    for n in range(6):
        memory.remember(episode(f"nothing-{n}", text=text, ending="ByItself", tries=()))
    for uid, what in more.items():
        memory.remember(episode(uid, text=f"{text} with some other words", **({"tries": ()} | what)))
    shown = [item.key.removeprefix("episode/") for item in past.similar(asked)]
    assert shown[0].startswith("nothing-"), "the most alike of all stays"
    assert shown[1:] == ["lesson", "tried"]


class Broken:
    def similar(self, *_):
        raise Retry("the disk is full")


def test_without_the_memory_everything_goes_on(tmp_path, caplog):
    _, _, past = office(tmp_path, memory=Broken())
    assert list(past.similar(over())) == []
    assert "is diagnosed without past ones: the disk is full" in caplog.text


def with_lesson(one, **notes):
    return one.model_copy(update={"metadata": one.metadata.model_copy(update={"annotations": notes})})


def test_only_a_lesson_that_a_person_accepted_is_remembered_and_shown(tmp_path):
    drafted = {"text": "roll back at once [E1]", "cites": ["E1"], "resolvedTime": at(0)}
    one = over()
    one = one.model_copy(update={"status": one.status.model_copy(update={"lesson": Lesson.model_validate(drafted)})})
    api, memory, past = office(tmp_path, one)
    past.keep(("shop", "payment-1"))
    assert memory.recall("uid-old", "shop").lesson == ""
    half = with_lesson(one, **{LESSON: "nobody said so"})
    past.note(half.wire())
    api.items["payment-1"] = half
    past.keep(("shop", "payment-1"))
    assert memory.recall("uid-old", "shop").lesson == ""

    whole = with_lesson(one, **{LESSON: "roll back at once, token=hunter2 [E1]", LESSON_BY: "ada"})
    past.queue._due.clear()
    past.note(whole.wire())
    assert past.queue._due, "an accepted lesson is news"
    api.items["payment-1"] = whole
    past.keep(("shop", "payment-1"))
    assert memory.recall("uid-old", "shop").lesson.startswith("roll back at once")
    (shown,) = past.similar(over("payment-2", "uid-new"))
    assert "lesson: roll back at once" in shown.summary
    assert "hunter2" not in shown.summary


def test_lessons_are_drafted_once_when_it_is_over(tmp_path):
    api, _, _ = office(tmp_path, one := over())
    written = []
    api.write_lesson = lambda incident, lesson: written.append(lesson)
    lessons = Lessons(api)
    lessons.note(over(resolved=False).wire())
    assert not lessons.queue._due
    lessons.note(one.wire())
    assert lessons.queue._due
    lessons.write(("shop", "payment-1"))
    assert [w.cites for w in written] == [("E1",)]
    api.items["payment-1"] = one.model_copy(update={"status": one.status.model_copy(update={"lesson": written[0]})})
    lessons.write(("shop", "payment-1"))
    lessons.write(("shop", "gone"))
    assert len(written) == 1


def test_worth_is_of_the_namespace_and_of_who_said_so_and_nothing_without_a_memory_that_answers(tmp_path):
    memory = SqliteMemory(tmp_path / "memory.db")
    for n in range(20):
        said = Try(runbook="r", action="scale", outcome=Outcome.HEALED, by="Matcher", percent=100)
        wrong = Try(runbook="r", action="scale", outcome=Outcome.WORSE, by="Model", percent=100)
        dumb = [Try(runbook="r", action="scale", outcome=o, by="Matcher", percent=100) for o in (Outcome.DENIED,)]
        memory.remember(episode(f"uid-{n}", tries=(said, wrong, *dumb) if n < 12 else (said,)))
    worth = Worth(memory, lambda: T0)
    new = worth.of("shop", "Matcher", 100, "new")
    assert (new.percent, new.outcomes) == (62, 32)
    assert worth.of("shop", "Model", 100, "new").percent == 7, "1 of 14: none of the model's was right"
    assert worth.of("bank", "Matcher", 100, "new").percent is None

    class Dumb:
        def tried(self, *_):
            raise Retry("busy")

    assert Worth(Dumb(), lambda: T0).of("shop", "Matcher", 100, "new") == Calibration(by="Matcher")


def test_a_model_that_agrees_is_never_worth_more_than_the_matcher_alone():
    wrong = [Try(runbook="r", action="a", outcome=Outcome.INEFFECTIVE, by="Matcher", percent=80)] * 15
    right = [Try(runbook="r", action="a", outcome=Outcome.HEALED, by="Model", percent=80)] * 15
    found = curves([episode("a", tries=tuple(wrong)), episode("b", tries=tuple(right))])
    assert found.worth("Model", 80, "new").percent == found.worth("Matcher", 80, "new").percent == 50


def test_a_runbook_s_own_failures_lower_what_others_earned_and_its_successes_add_nothing():
    """Nineteen outcomes of a Runbook that always heals must not vouch for one that never did."""

    def tries(name, outcome, count):
        return tuple(Try(runbook=name, action="a", outcome=outcome, by="Matcher", percent=100) for _ in range(count))

    good, bad = tries("good", Outcome.HEALED, 90), tries("bad", Outcome.INEFFECTIVE, 5)
    some = [episode(f"a{n}", tries=good[n : n + 10]) for n in range(0, 90, 10)]
    few = curves([*some, episode("c", tries=bad)])
    worth = {name: few.worth("Matcher", 100, name).percent for name in ("good", "bad", "new")}
    assert worth["good"] == worth["new"] == 94
    assert worth["bad"] == 63, "ten outcomes as all have, and five of its own that were wrong"
    one = curves([episode("c", tries=bad)])
    assert one.worth("Matcher", 100, "bad").percent is None, "uncalibrated stays uncalibrated"
