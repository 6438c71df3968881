"""Heads and proofs are what Go's checksum database makes of the same records: both formats are its own."""

import base64
import json
import subprocess
from contextlib import closing
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hemostat.audit.keys import Signer
from hemostat.audit.log import Log
from hemostat.audit.proof import prove
from hemostat.audit.record import Entry, Step
from hemostat.audit.sqlite import SqliteStore
from hemostat.clock import SystemClock
from hemostat_chaos.cluster.binaries import go

HERE = Path(__file__).parent / "auditcheck"
NAME = "hemostat.dev/audit"


@pytest.fixture(scope="module")
def checker(tmp_path_factory: pytest.TempPathFactory) -> Path:
    built = tmp_path_factory.mktemp("go") / "auditcheck"
    subprocess.run([go(), "build", "-o", built, "."], cwd=HERE, check=True, timeout=300)
    return built


@pytest.mark.parametrize("size", [1, 2, 7, 64, 100])
def test_go_reads_what_we_write(checker: Path, tmp_path: Path, size: int) -> None:
    key = Signer(NAME, Ed25519PrivateKey.generate())
    with closing(SqliteStore(tmp_path / "audit.db")) as store:
        log = Log(store, key, (), "hemostat-act 1", SystemClock())
        for n in range(size):
            log.append(Entry(Step.RESULT, "shop", says={"n": n, "name": "Zoë"}))
        index = size * 2 // 3
        bodies = [base64.b64encode(row.body).decode() for row in store.rows()]
        said = {"Key": str(key.verifier), "Note": log.checkpoint(), "Bodies": bodies, "Proof": prove(store, index)}
    done = subprocess.run([checker], input=json.dumps(said), capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{NAME} {size} {index}\n", "")
    bodies[0] = base64.b64encode(b"another").decode()
    done = subprocess.run([checker], input=json.dumps(said), capture_output=True, text=True, timeout=60, check=False)
    assert "Go says" in done.stderr
