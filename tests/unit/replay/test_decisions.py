"""What was decided is decided again from the log alone; where it is not, that is said."""

from contextlib import closing
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.unit.builders import T0, incident, runbook, signal
from tests.unit.gate.test_checks import GOOD
from typer.testing import CliRunner

from hemostat.act.ledger import FACTS, decided
from hemostat.audit.keys import Signer
from hemostat.audit.log import Log
from hemostat.audit.sqlite import SqliteStore
from hemostat.cli.main import app
from hemostat.clock import FakeClock
from hemostat.gate.checks import decide
from hemostat.replay.decisions import replay

KEY = Signer("hemostat.dev/audit", Ed25519PrivateKey.from_private_bytes(bytes(32)))
FIRES = replace(GOOD, incident=incident(signals=(signal(),)))
BOOKS = (runbook(),)


@pytest.fixture
def store(tmp_path):
    with closing(SqliteStore(tmp_path / "audit.db")) as opened:
        yield opened


def log(store, facts=FIRES, books=BOOKS, change=lambda entry, kept: (entry, kept)):
    Log(store, KEY, (), "hemostat-act/1", FakeClock(T0)).append(*change(*decided(facts, decide(facts), books)))


def test_gate_and_matcher_say_the_same_again(store):
    log(store)
    (found,) = replay(store)
    assert found.same
    assert (found.gate, found.matcher) == ((), "")


def test_a_gate_that_would_decide_otherwise_now_is_told_check_by_check(store):
    """As after an update that is stricter, or a record that does not tell what the gate knew."""

    def kinder(entry, kept):
        says = {**entry.says, "outcome": "Deny", "checks": {**entry.says["checks"], "Policy": "Deny: no"}}
        return replace(entry, says=says), kept

    log(store, change=kinder)
    (found,) = replay(store)
    assert not found.same
    assert found.gate[0] == decide(FIRES).outcome.value
    assert found.gate[1].startswith("Policy: Pass: ")


def test_a_better_runbook_that_was_there_is_told_and_no_fault_of_the_gate(store):
    two = [{"name": f"e{n}", "expression": "signals.exists(s, s.kind == 'ErrorRate')"} for n in range(2)]
    log(store, books=(runbook(), runbook("closer", symptoms=two)))
    (found,) = replay(store)
    assert found.same
    assert found.matcher == "closer instead of bad-release"


@pytest.mark.parametrize("gone", [FACTS, f"{FACTS}.incident"])
def test_what_was_not_kept_is_named(store, gone):
    log(store, change=lambda entry, kept: (entry, {n: d for n, d in kept.items() if n != gone}))
    (found,) = replay(store)
    assert not found.same
    assert gone in found.missing


def test_the_command_prints_and_fails_as_it_finds(store, tmp_path):
    log(store)
    found = CliRunner().invoke(app, ["audit", "replay", str(tmp_path / "audit.db")])
    assert found.exit_code == 0, found.output
    assert found.output.count("the same") == 2
    log(store, change=lambda entry, kept: (entry, {}))
    found = CliRunner().invoke(app, ["audit", "replay", str(tmp_path / "audit.db"), "-o", "json"])
    assert found.exit_code == 1
    assert "is not kept" in found.output
