"""Write a set as OTLP JSON lines: `python -m tests.bench.agentworld --set small --out DIR` from the project's root.

DIR gets traces.jsonl and logs.jsonl (requests in the order of arrival), and truth.jsonl (one conversation per line).
With --check the digest of the set is compared with the one in digests.json; with --write-digest it is put there.
"""

import argparse
import json
import sys
from pathlib import Path

from .encode import exports
from .sets import SETS, SetSpec, digest, groups
from .truth import Truth, counts

DIGESTS = Path(__file__).with_name("digests.json")


def write(spec: SetSpec, out: Path) -> list[Truth]:
    """Write the three files; return the truths."""
    out.mkdir(parents=True, exist_ok=True)
    told: list[Truth] = []
    names = ("traces", "logs", "truth")
    traces, logs, truth = ((out / f"{name}.jsonl").open("w", encoding="utf-8") for name in names)
    with traces, logs, truth:
        for group in groups(spec):
            for export in exports(group.records()):
                (traces if export.signal == "traces" else logs).write(export.line() + "\n")
            for case in group.cases:
                truth.write(case.truth.line() + "\n")
                told.append(case.truth)
    return told


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="agentworld", description=__doc__)
    parser.add_argument("--set", choices=sorted(SETS), required=True)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--write-digest", action="store_true")
    asked = parser.parse_args()
    spec = SETS[asked.set]
    if asked.out:
        print(json.dumps(counts(write(spec, asked.out))))
    if asked.check or asked.write_digest:
        return _digest(spec, write_it=asked.write_digest)
    return 0


def _digest(spec: SetSpec, *, write_it: bool) -> int:
    known = json.loads(DIGESTS.read_text()) if DIGESTS.exists() else {}
    found = digest(spec)
    if write_it:
        DIGESTS.write_text(json.dumps(known | {spec.name: found}, indent=2, sort_keys=True) + "\n")
    elif known.get(spec.name) != found:
        print(f"{spec.name}: truth is {found}, the manifest says {known.get(spec.name)}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
