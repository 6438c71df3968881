"""A person takes back what `act` did, at any moment of its work and where it is not there: it is undone once, by one of
the two; the other sees it, and says so."""

from contextlib import suppress

import pytest
from tests.unit.act import test_several_steps as several
from tests.unit.act.double import DELAYED, DIES_AFTER, DIES_BEFORE, OK, REPLY_LOST
from tests.unit.act.test_exactly_once import BAD, CASE, DONE, KEY, TARGET, World
from tests.unit.builders import NAMESPACE, T0, condition, deployment

from hemostat.api.meta import find, is_true
from hemostat.api.remediation import FINISHED, RELEASED, UNDONE, VERIFIED
from hemostat.audit.record import Word
from hemostat.cli.taking import Taker
from hemostat.errors import Refused, Retry
from hemostat.gate.past import past_actions
from hemostat.lifecycle import TAKEN_BACK, Step, next_step

NAME = KEY[1]


class Person:
    """Who has the rights for it, at the same API server."""

    def __init__(self, world: World, name: str = "ann@example.com") -> None:
        self._world, self._name = world, name
        self.refused: set[str] = set()

    def __getattr__(self, name: str):
        return getattr(self._world.api, name)

    def user(self):
        return self._name, ()

    def server_now(self):
        return self._world.clock.now()

    def merge_patch(self, path, body, manager):
        if "mark" in self.refused:
            raise Refused("Forbidden", f"PATCH {path}: forbidden")

        def write():
            self._world.api.write(path, manager, lambda o: o["metadata"].update(body["metadata"]))
            return self._world.api._get(path)

        return self._world.api._call(write, writes=True)

    def json_patch(self, path, ops, manager, *, dry_run=False):
        if "release" in self.refused and manager == "hemostat-release":
            raise Refused("Forbidden", f"PATCH {path}: forbidden")
        return self._world.api.json_patch(path, ops, manager, dry_run=dry_run)


class Town(World):
    """The cluster of the test of exactly once, with a person in it."""

    def __init__(self, case: str = "rollback") -> None:
        super().__init__(case)
        self.case = case
        self.person = Person(self)
        self.notes: list[str] = []
        self.said: list[str] = []
        self.announced = False
        """Whether `act` had an intent when the person began."""

    def takes_back(self) -> str:
        self.announced = bool(self.now().status.intents)
        taker = Taker(self.person, lambda _: None, self.notes.append)
        self.said.append(taker.back(NAMESPACE, NAME))
        return self.said[-1]

    def person_takes_back(self) -> None:
        with suppress(Refused):
            self.takes_back()

    def reason(self, kind: str) -> str:
        found = find(self.now().status.conditions, kind)
        return found.reason if found is not None and found.status == "True" else ""

    @property
    def is_back(self) -> bool:
        return self.api.objects[TARGET]["spec"] == deployment(BAD[self.case])["spec"]

    @property
    def changes(self) -> int:
        """How often anybody changed its spec."""
        return self.api.objects[TARGET]["metadata"]["generation"] - 1

    @property
    def managers(self) -> set[str]:
        return {entry["manager"] for entry in self.api.objects[TARGET]["metadata"]["managedFields"]}

    def say_healed(self) -> None:
        def write(body):
            body["status"]["conditions"] += [condition(VERIFIED, True, "Healed"), condition(FINISHED, True, "Healed")]

        self.api.write(CASE, "hemostat-act", write)


@pytest.mark.parametrize("case", sorted(BAD))
def test_while_it_is_verified_and_act_says_who_did_it(case):
    town = Town(case)
    town.run(DONE)
    assert not town.is_back
    assert town.takes_back() == "taken back"
    assert town.is_back
    assert not [m for m in town.managers if m.startswith("hemostat-")], "the owner's next apply needs no force"
    town.run({Step.NOTHING})
    assert (town.reason(UNDONE), town.reason(FINISHED)) == (TAKEN_BACK, TAKEN_BACK)
    assert find(town.now().status.conditions, UNDONE).message.startswith("ann@example.com took it back: ")
    assert (town.changes, town.recorded("Inverse")) == (2, False)
    told = [e for e in town.records.entries if e.word is Word.PERSON]
    assert [e.names for e in told] == [("ann@example.com",)] * 2, "undone and finished"
    assert town.takes_back() == "was taken back already"
    assert town.changes == 2


@pytest.mark.parametrize("case", sorted(BAD))
def test_after_its_end_and_act_notes_it_all_the_same(case):
    town = Town(case)
    town.run(DONE)
    town.say_healed()
    assert next_step(town.now(), T0) is Step.NOTHING
    town.person.refused = {"release"}
    assert town.takes_back() == "taken back"
    assert case == "removal" or "the owner's next apply needs force" in town.notes[0]
    assert next_step(town.now(), town.clock.now()) is Step.LIFTED
    town.run({Step.NOTHING})
    assert (town.reason(UNDONE), town.reason(FINISHED)) == (TAKEN_BACK, "Healed")
    assert is_true(town.now().status.conditions, RELEASED)
    assert not [m for m in town.managers if m.startswith("hemostat-uid")], "act lets go of what the person could not"


def test_what_cannot_be_let_go_of_after_the_end_is_said_once_and_tried_less_and_less_often():
    """Seen: with the rights in the namespace withdrawn it was tried every ten seconds, and noted nowhere."""
    town = Town()
    town.run(DONE)
    town.say_healed()
    town.person.refused = {"release"}
    town.takes_back()
    patch = town.api.json_patch

    def forbidden(path, ops, manager, *, dry_run=False):
        if manager == "hemostat-release":
            raise Refused("Forbidden", "deployments is forbidden")
        return patch(path, ops, manager, dry_run=dry_run)

    town.api.json_patch = forbidden
    told, emit = [], town.process._events.emit
    town.process._events.emit = lambda *a: told.append(a[2:4]) or emit(*a)
    began, tries = town.clock.now(), 0
    while (town.clock.now() - began).total_seconds() < 86400:
        town.clock.step(town.process.remediation(KEY))
        tries += 1
    assert [t for t in told if t[0] != TAKEN_BACK] == [("Forbidden", "deployments is forbidden")]
    released = find(town.now().status.conditions, RELEASED)
    assert (released.status, released.reason, released.message) == ("Unknown", *told[-1])
    assert tries < 350, "every five minutes in the end"
    town.api.json_patch = patch
    town.run({Step.NOTHING})
    assert is_true(town.now().status.conditions, RELEASED)


def test_what_a_person_only_announces_after_the_end_is_waited_for_a_minute():
    town = Town()
    town.run(DONE)
    town.say_healed()
    said = {"hemostat.dev/taken-back-by": "ann", "hemostat.dev/taken-back-time": town.clock.now().isoformat()}
    town.api.write(CASE, "kubectl", lambda o: o["metadata"].update(annotations=said))
    assert town.process.remediation(KEY) == 1
    town.clock.step(61)
    assert town.process.remediation(KEY) is None
    del town.api.objects[TARGET]
    assert town.process.remediation(KEY) is None
    assert town.reason(FINISHED) == "Healed", "nothing that becomes of the target later changes how it ended"


def test_a_mark_from_the_future_does_not_have_it_looked_at_for_ever():
    """Who may approve may write any time there, on every Remediation that has ended."""
    town = Town()
    town.run(DONE)
    town.say_healed()
    said = {"hemostat.dev/taken-back-by": "ann", "hemostat.dev/taken-back-time": "2999-12-31T00:00:00Z"}
    town.api.write(CASE, "kubectl", lambda o: o["metadata"].update(annotations=said))
    assert town.process.remediation(KEY) is None


def test_without_the_right_to_mark_it_it_is_taken_back_and_said():
    town = Town()
    town.run(DONE)
    town.person.refused = {"mark"}
    assert town.takes_back() == "taken back"
    assert "does not say who took it back" in town.notes[0]
    town.run({Step.NOTHING})
    assert find(town.now().status.conditions, UNDONE).message.startswith("somebody did before: ")


def lives(case, begin, until):
    """Yield a town for every call that `act` makes on the way from where `begin` leaves it."""
    whole = Town(case)
    begin(whole)
    before = whole.api.calls
    whole.run(until)
    for point in range(whole.api.calls - before):
        town = Town(case)
        begin(town)
        yield point, town


def applied_and_worse(town: Town) -> None:
    town.run(DONE)
    town.say_worse()


@pytest.mark.parametrize("case", sorted(BAD))
@pytest.mark.parametrize("fault", [OK, DIES_BEFORE, DIES_AFTER, REPLY_LOST, DELAYED])
def test_act_undoes_it_and_a_person_does_at_every_single_call(case, fault):
    """Whichever is first: one write takes it back, and only who sent it counts it as his own."""
    for point, town in lives(case, applied_and_worse, {Step.NOTHING}):
        town.api.script = [(OK, "")] * point + [(fault, ""), (OK, "person_takes_back")]
        town.run({Step.NOTHING})
        town.settle()
        assert town.is_back, point
        assert town.changes == 2, point
        assert len(town.landed["Inverse"]) <= 1
        ours = bool(town.landed["Inverse"])
        if town.said and case != "removal":  # which leaves no trace of who did it
            assert ("taken back" in town.said) is not ours, point
        if town.reason(UNDONE) == TAKEN_BACK:
            assert town.said
            assert not town.recorded("Inverse")
        else:
            assert (town.reason(UNDONE), ours) == ("Undone", True)
        assert town.reason(FINISHED) == "Worse"
        assert not [m for m in town.managers if m.startswith("hemostat-uid")], point


@pytest.mark.parametrize("case", sorted(BAD))
@pytest.mark.parametrize("fault", [OK, DIES_AFTER, DELAYED])
def test_act_applies_it_and_a_person_takes_it_back_at_every_single_call(case, fault):
    """What he takes back is not applied again, also where `act` was killed before it wrote that it was applied."""
    for point, town in lives(case, lambda _: None, DONE):
        town.api.script = [(OK, "")] * point + [(fault, ""), (OK, "person_takes_back")]
        town.run({Step.NOTHING, Step.VERIFY})
        town.settle()
        assert len(town.landed["Forward"]) <= 1, point
        if town.said and town.announced:
            assert town.is_back, "what is said to be back does not come about later"
        if "taken back" in town.said:
            town.run({Step.NOTHING})
            assert town.reason(FINISHED) == TAKEN_BACK
            assert town.changes == 2, point


@pytest.mark.parametrize("case", sorted(BAD))
@pytest.mark.parametrize("fault", [OK, DIES_BEFORE, DIES_AFTER, REPLY_LOST, DELAYED])
def test_a_person_takes_it_back_and_act_undoes_it_at_every_single_call(case, fault):
    whole = Town(case)
    applied_and_worse(whole)
    before = whole.api.calls
    whole.takes_back()
    for point in range(whole.api.calls - before):
        town = Town(case)
        town.steps_of_others = 6
        applied_and_worse(town)
        town.api.script = [(OK, "")] * point + [(fault, ""), (OK, "another_process_works")]
        with suppress(BaseException):
            town.takes_back()
        town.api.script = []
        town.run({Step.NOTHING})
        town.settle()
        assert town.is_back, (point, fault)
        assert town.changes == 2, (point, fault)
        assert town.reason(UNDONE) in (TAKEN_BACK, "Undone")
        assert (town.reason(UNDONE) == "Undone") == town.recorded("Inverse")
        assert not [m for m in town.managers if m.startswith("hemostat-uid")]


@pytest.mark.parametrize("case", ["rollback", "scale"])
def test_a_request_of_act_that_arrives_while_a_person_takes_it_back_is_act_s_undo(case):
    """His mark stands by then; what the object shows says whose it was."""

    def delayed():
        town = Town(case)
        applied_and_worse(town)
        send = town.api.json_patch

        def later(path, ops, who, *, dry_run=False):
            if dry_run or not who.endswith("-inverse"):
                return send(path, ops, who, dry_run=dry_run)
            town.api.json_patch = send
            town.api.pending.append(lambda: send(path, ops, who))
            raise Retry("no answer in time")

        town.api.json_patch = later
        while not town.api.pending:
            with suppress(Retry):
                town.process.remediation(KEY)
        return town

    whole = delayed()
    before = whole.api.calls
    whole.takes_back()
    whose = set()
    for point in range(whole.api.calls - before):
        town = delayed()
        town.api.script = [(OK, "")] * point + [(OK, "deliver")]
        town.takes_back()
        town.settle()
        town.run({Step.NOTHING})
        assert (town.is_back, town.changes) == (True, 2)
        ours = bool(town.landed["Inverse"])
        assert town.said == ["was taken back already" if ours else "taken back"]
        assert (town.reason(UNDONE), town.recorded("Inverse")) == (("Undone", True) if ours else (TAKEN_BACK, False))
        whose.add(ours)
    assert whose == {True, False}


def test_what_the_owner_deployed_since_is_his():
    town = Town()
    town.run(DONE)
    town.owner_deploys()
    mine = town.api.objects[TARGET]["spec"]
    with pytest.raises(Refused, match="/spec/template is another one"):
        town.takes_back()
    assert town.api.objects[TARGET]["spec"] == mine
    assert town.now().metadata.annotations == {}, "nobody takes it back"


def test_a_busy_target_is_written_at_the_version_that_was_looked_at():
    town = Town()
    town.run(DONE)
    town.api.script = [(OK, "status_moves")] * 12
    assert town.takes_back() == "taken back"
    assert town.changes == 2
    busy = Town()
    busy.run(DONE)
    send, moves = busy.api.json_patch, busy.status_moves

    def late(path, ops, manager, *, dry_run=False):
        moves()
        return send(path, ops, manager, dry_run=dry_run)

    busy.api.json_patch = late
    with pytest.raises(Refused, match="changes faster than it can be written"):
        busy.takes_back()


def test_who_took_it_back_is_told_to_the_gate():
    town = Town()
    town.run(DONE)
    town.takes_back()
    (past,) = past_actions([town.now()])
    assert (past.taken_back.manager, past.taken_back.time) == ("ann@example.com", town.clock.now())


class Moving(several.Town):
    """A node is cordoned and its pods are evicted, step by step, while a person takes it back."""

    def __init__(self) -> None:
        super().__init__()
        self.person = Person(self)
        self.said = ""
        self.evicted_by_then: set[str] = set()

    def person_takes_back(self) -> None:
        with suppress(Refused):
            self.said = Taker(self.person, lambda _: None, lambda _: None).back(NAMESPACE, NAME)
            self.evicted_by_then = self.evicted()


@pytest.mark.parametrize("fault", [OK, DIES_AFTER])
def test_of_several_steps_no_more_are_taken_once_a_person_takes_back_those_that_were(fault):
    whole = Moving()
    before = whole.api.calls
    whole.run(DONE)
    stopped = 0
    for point in range(0, whole.api.calls - before, 3):
        town = Moving()
        town.api.script = [(OK, "")] * point + [(fault, ""), (OK, "person_takes_back")]
        town.run({Step.NOTHING, Step.VERIFY})
        if town.said == "taken back":
            town.run({Step.NOTHING})
            assert not town.cordoned(), point
            assert len(town.patched("Forward")) == 1, "nor cordoned again"
            assert len(town.evicted() - town.evicted_by_then) <= 1, "but for the one that was under way"
            stopped += town.evicted() != whole.evicted()
            assert town.condition(FINISHED).reason == TAKEN_BACK
    assert stopped > 2
