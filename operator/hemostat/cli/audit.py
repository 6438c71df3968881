"""`hemostat audit`: what was done and on whose word, and the proof of it. Reads the log alone; asks no cluster."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hemostat.cli.options import Format, group
from hemostat.errors import Refused

if TYPE_CHECKING:
    from rich.table import Table

    from hemostat.audit.keys import Verifier
    from hemostat.audit.record import Record
    from hemostat.audit.store import Records
    from hemostat.audit.verify import Report

app = group("audit", "Read the log of what Hemostat did, and prove it without a cluster.")
LogName = Annotated[
    str, typer.Argument(metavar="LOG", help="What act writes: a SQLite file, or postgresql://USER@HOST/NAME.")
]
Keys = Annotated[
    list[str],
    typer.Option("--key", help="A verifier key (NAME+ID+KEY), or a file with one in each line; repeatable."),
]
LARGEST_FILE = 1024 * 1024


@app.command()
def verify(
    log: LogName,
    key: Keys,
    head: Annotated[
        list[Path] | None,
        typer.Option("--head", help="A head that was published; what it counts must be there still. Repeatable."),
    ] = None,
    output: Annotated[Format, typer.Option("--output", "-o", help="How to print it.")] = Format.TABLE,
) -> None:
    """Say whether the log is what was signed, and which record is the first that is not. Exit code 0: it is; else 1."""
    from dataclasses import asdict

    from hemostat.audit.verify import verify as verified
    from hemostat.cli.reading import dump
    from hemostat.cli.text import emit, words
    from hemostat.signals.words import counted

    published = [_read(path) for path in head or ()]
    with _open(log) as store:
        try:
            found = verified(store, _keys(key), published)
        except ValueError as error:
            raise Refused("BadHead", f"the published head proves nothing: {error}") from error
    if output is not Format.TABLE:
        dump([{**asdict(found), "whole": found.whole}], output)
    elif found.whole:
        emit(words(f"whole: {counted(found.size, 'record')}, all as they were signed", "green"))
    else:
        emit(words(f"NOT whole: {found.why}", "bold red"))
        emit(words(f"the first {found.proven} of {counted(found.size, 'record')} are as they were signed"))
    if not found.whole:
        raise typer.Exit(1)


@app.command("list")
def listed(
    log: LogName,
    remediation: Annotated[str | None, typer.Option(help="Only what is about this Remediation.")] = None,
    namespace: Annotated[str | None, typer.Option("--namespace", "-n", help="Only of this namespace.")] = None,
    output: Annotated[Format, typer.Option("--output", "-o", help="How to print them.")] = Format.TABLE,
) -> None:
    """List the records. It does not check them: see `hemostat audit verify`."""
    import json

    from hemostat.audit.record import Record
    from hemostat.cli.reading import dump
    from hemostat.cli.text import emit

    with _open(log) as store:
        try:
            chosen = [
                record
                for record in (Record.decode(row.body) for row in store.rows())
                if remediation in (None, record.entry.remediation) and namespace in (None, record.entry.namespace)
            ]
        except ValueError as error:
            raise Refused("AuditDamaged", f"{error}; see hemostat audit verify") from error
    if remediation is not None and not chosen:
        raise Refused("NotFound", f"the log says nothing of a Remediation {remediation}; another name, or namespace?")
    if output is Format.TABLE:
        emit(_table(chosen))
    else:
        dump([json.loads(record.encode()) for record in chosen], output)


@app.command()
def replay(
    log: LogName,
    remediation: Annotated[str | None, typer.Option(help="Only decisions about this Remediation.")] = None,
    output: Annotated[Format, typer.Option("--output", "-o", help="How to print it.")] = Format.TABLE,
) -> None:
    """Compute every decision of the gate, and the matcher's choice, again from what they rested on.

    Exit code 0: the gate decides as it did; else 1. It does not check the log: see `hemostat audit verify`.
    """
    from hemostat.cli.reading import dump
    from hemostat.cli.text import columns, emit, words
    from hemostat.replay.decisions import replay as replayed

    with _open(log) as store:
        try:
            found = [r for r in replayed(store) if remediation in (None, r.record.entry.remediation)]
        except ValueError as error:
            raise Refused("AuditDamaged", f"{error}; see hemostat audit verify") from error
    rows = [
        {
            "index": r.record.index,
            "namespace": r.record.entry.namespace,
            "remediation": r.record.entry.remediation,
            "decided": r.record.entry.says.get("outcome", ""),
            "gate": r.missing or "; ".join(r.gate) or "the same",
            "matcher": "" if r.missing else r.matcher or "the same",
        }
        for r in found
    ]
    if output is Format.TABLE:
        table = columns("INDEX", "NAMESPACE", "REMEDIATION", "DECIDED", "GATE NOW", "MATCHER NOW")
        for row in rows:
            table.add_row(*(words(str(cell)) for cell in row.values()))
        emit(table)
    else:
        dump(rows, output)
    if not all(r.same for r in found):
        raise typer.Exit(1)


@app.command()
def prove(log: LogName, index: Annotated[int, typer.Argument(metavar="INDEX", help="Of the record, from 0.")]) -> None:
    """Print the proof that a record is in the log, for somebody who has only a key: see `hemostat audit check`."""
    from hemostat.audit.proof import prove as proven

    with _open(log) as store:
        try:
            print(proven(store, index), end="")
        except ValueError as error:
            raise Refused("NotFound", str(error)) from error


@app.command()
def export(log: LogName) -> None:
    """Write the whole log, as it is now, to standard output, as a SQLite file: verify it where no one can change it."""
    import shutil
    import sys
    from tempfile import TemporaryDirectory

    from hemostat.audit.copying import copy
    from hemostat.audit.sqlite import SqliteStore

    if sys.stdout.isatty():
        raise Refused("Terminal", "a log is no text: send it to a file, with > FILE")
    with _open(log) as store, TemporaryDirectory() as folder:
        path = Path(folder, "copy")
        with closing(SqliteStore(path)) as target:
            copy(store, target)
        with path.open("rb") as file:
            shutil.copyfileobj(file, sys.stdout.buffer)


@app.command()
def move(
    log: LogName,
    target: Annotated[str, typer.Argument(metavar="TARGET", help="Where to: an empty database, or a new file.")],
    key: Keys,
) -> None:
    """Copy a log to where act shall go on with it, and prove that both hold the same under one root. Stop act first.

    What was interrupted is gone on with when it is called again. The log that is read is left as it is.
    """
    from hemostat.audit.copying import compare, copy
    from hemostat.audit.opening import open_store
    from hemostat.audit.verify import verify as verified
    from hemostat.cli.text import emit, words
    from hemostat.signals.words import counted

    keys = _keys(key)
    with _open(log) as source:
        _expect_whole(verified(source, keys))
        with closing(open_store(target)) as store:
            copy(source, store)
    with _open(log) as source, _open(target) as moved:
        found = _expect_whole(compare(source, moved, keys))
        newest = [next(one.checkpoints(newest_first=True), "") for one in (source, moved)]
    if newest[0] != newest[1]:
        raise Refused("AuditForeign", "the log was written to meanwhile: stop act, then call this again")
    root = newest[1].split("\n")[2] if newest[1] else "none"
    emit(words(f"moved: {counted(found.size, 'record')}, root {root} on both sides", "green"))


@app.command()
def schema() -> None:
    """Print the SQL that makes the tables in PostgreSQL, for the role that is to own them; act needs no such right."""
    from hemostat.audit.opening import postgres_schema

    print(postgres_schema(), end="")


@app.command()
def check(proof: Annotated[Path, typer.Argument(metavar="PROOF", help="As `prove` prints it.")], key: Keys) -> None:
    """Print the record that a proof proves. Exit code 0: it does; else 1."""
    from hemostat.audit.proof import check as checked

    try:
        record = checked(_read(proof), _keys(key))
    except ValueError as error:
        raise Refused("NotProven", f"nothing is proven: {error}") from error
    print(record.encode().decode())


@app.command("key")
def key_of(
    pem: Annotated[Path, typer.Argument(metavar="PEM", help="Made by: openssl genpkey -algorithm ed25519")],
    name: Annotated[str, typer.Option(help="The name of the log.")] = "hemostat.dev/audit",
) -> None:
    """Print the verifier key of a signing key: what others need to believe its log."""
    from hemostat.audit.keys import Signer

    print(Signer.load(name, _read(pem).encode()).verifier)


def _table(records: Sequence["Record"]) -> "Table":
    from hemostat.cli.text import columns, words
    from hemostat.clock import rfc3339

    table = columns("INDEX", "TIME", "NAMESPACE", "REMEDIATION", "STEP", "ON THE WORD OF", "SAYS")
    for record in records:
        entry = record.entry
        word = f"{entry.word} {', '.join(entry.names)}".strip()
        says = "; ".join(f"{name}: {_brief(value)}" for name, value in sorted(entry.says.items(), key=_is_long))
        cells = (str(record.index), rfc3339(record.time), entry.namespace, entry.remediation, entry.step, word, says)
        table.add_row(*(words(cell) for cell in cells))
    return table


def _is_long(said: tuple[str, object]) -> bool:
    return isinstance(said[1], dict)


def _brief(value: object) -> str:
    """Return what checks said only where they did not pass; `-o json` has all of it."""
    if not isinstance(value, dict):
        return str(value)
    told = [f"{name} {said}" for name, said in value.items() if not str(said).startswith("Pass: ")]
    return "; ".join(told) or f"all {len(value)} pass"


def _open(log: str) -> "closing[Records]":
    from hemostat.audit.opening import in_database, open_records

    if not in_database(log) and not Path(log).is_file():
        raise Refused("NotFound", f"there is no file {log}")
    return closing(open_records(log))


def _expect_whole(found: "Report") -> "Report":
    if not found.whole:
        raise Refused("AuditDamaged", f"{found.why}: go on with neither; see hemostat audit verify")
    return found


def _keys(given: Sequence[str]) -> list["Verifier"]:
    from hemostat.audit.keys import Verifier

    lines = [line for one in given for line in ([one] if one.count("+") > 1 else _read(Path(one)).splitlines())]
    try:
        return [Verifier.parse(line) for line in lines if line.strip()]
    except ValueError as error:
        raise Refused("BadKey", str(error)) from error


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(LARGEST_FILE + 1)
        if len(raw) > LARGEST_FILE:
            raise Refused("TooLarge", f"{path} is larger than {LARGEST_FILE} bytes: it is another file")
        return raw.decode()
    except (OSError, UnicodeDecodeError) as error:
        raise Refused("Unreadable", f"{path} cannot be read: {error}") from error
