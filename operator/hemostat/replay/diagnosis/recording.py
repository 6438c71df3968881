"""Recorded cases on disk: a folder each, with one text file for each output of a tool (shell).

The format is that of HolmesGPT's evaluation fixtures (https://github.com/HolmesGPT/holmesgpt, `tests/llm/fixtures`).
All but the texts may be left out: what a person recorded with `kubectl describe pod x > pod.txt` is read too.
"""

import gzip
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import yaml

from hemostat.errors import Refused
from hemostat.replay import boundedyaml
from hemostat.replay.diagnosis.case import Output, Recording, Subject
from hemostat.replay.lines import readable

REQUEST, ISSUE, EXPECTED = "investigate_request.json", "issue_data.json", "test_case.yaml"
MAX_CASES, MAX_DEPTH = 1000, 4
MAX_OUTPUTS = 200
MAX_BYTES = 8 * 1024 * 1024
"""Of one output, unpacked; what comes after is not read."""
MAX_CHARS = 64 * 1024 * 1024
"""Of all outputs of a case, unpacked: two hundred small gzips could fill the memory."""
MAX_JSON_BYTES = 1024 * 1024
MAX_FACTS = 32
MAX_PARAMETERS, MAX_PARAMETER = 16, 253
_GZIP = b"\x1f\x8b"
_STREAMS = re.compile(r"\Astdout:\n(?P<out>.*?)\n?\nstderr:(?:\n(?P<err>.*))?\Z", re.DOTALL)
_ABOUT_LOGS = re.compile(r"\n={40,}\nLOG QUERY METADATA\n.*\Z", re.DOTALL)
"""What HolmesGPT's tool for logs says of itself after the log."""

Json = dict[str, Any]


def cases(folder: Path) -> list[Path]:
    """Return the folders of cases in a folder, itself included. Raises `Refused`: none, too many, or unreadable."""
    if not folder.is_dir():
        raise Refused("NoFolder", f"{folder}: no such folder")
    with readable(folder):
        found = list(_cases(folder, MAX_DEPTH))
    if not found:
        raise Refused(
            "NoCases", f"{folder}: no case in it, which is a folder with recorded outputs as *.txt or *.txt.gz"
        )
    if len(found) > MAX_CASES:
        raise Refused("TooManyCases", f"{folder}: more than {MAX_CASES:,} cases; name a part of it")
    return found


def _cases(folder: Path, depth: int) -> Iterator[Path]:
    inside = sorted(folder.iterdir())
    if any(_is_output(p) or p.name in (REQUEST, EXPECTED) for p in inside):
        yield folder
    elif depth:
        for child in inside:
            if child.is_dir() and not child.is_symlink():
                yield from _cases(child, depth - 1)


def read(folder: Path, name: str) -> Recording:
    """Read a case. Raises `Refused`: nothing was recorded, too much, or a file cannot be read."""
    with readable(folder):
        files = sorted(p for p in folder.iterdir() if _is_output(p))
    if not files:
        raise Refused("EmptyCase", f"{folder}: nothing is recorded: no *.txt or *.txt.gz")
    if len(files) > MAX_OUTPUTS:
        raise Refused("TooManyOutputs", f"{folder}: {len(files)} outputs; at most {MAX_OUTPUTS}")
    request, issue = _object(folder / REQUEST), _object(folder / ISSUE)
    outputs: list[Output] = []
    for file in files:
        outputs.append(_output(file))
        if sum(len(o.text) for o in outputs) > MAX_CHARS:
            raise Refused("TooLarge", f"{folder}: more than {MAX_CHARS:,} characters are recorded; leave some out")
    if issue:
        outputs.append(Output("issue_data", _sound(json.dumps(issue, indent=1, ensure_ascii=False)), "issue_data"))
    return Recording(name, _told_apart(outputs), _subject(request, issue), *_told(request, issue))


def expected(folder: Path) -> tuple[str, ...]:
    """Return the facts that a right answer states: what a diagnosis must never see. Raises `Refused`."""
    path = folder / EXPECTED
    if not path.is_file():
        raise Refused("NoExpectedFacts", f"{folder}: no {EXPECTED} with expected_output")
    text = _small(path)
    try:
        case = next(boundedyaml.documents(text), None)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise Refused("BadFile", f"{path}: not YAML: {' '.join(str(error).split())[:400]}") from error
    wanted = case.get("expected_output") if isinstance(case, dict) else None
    facts = wanted if isinstance(wanted, list) else [wanted]
    stated = tuple(str(fact).strip() for fact in facts if isinstance(fact, str | int | float) and str(fact).strip())
    if not stated or len(stated) != len(facts) or len(stated) > MAX_FACTS:
        message = f"{path}: expected_output must be a text, or a list of 1 to {MAX_FACTS} texts, one fact each"
        raise Refused("BadFile", message)
    return stated


def _told_apart(outputs: Iterable[Output]) -> tuple[Output, ...]:
    """Number those that are named alike: the same tool was asked the same twice."""
    seen: Counter[str] = Counter()
    found = []
    for output in outputs:
        seen[output.name] += 1
        number = seen[output.name]
        found.append(output if number == 1 else replace(output, name=f"{output.name} ({number})"))
    return tuple(found)


def _is_output(path: Path) -> bool:
    return path.name.endswith((".txt", ".txt.gz")) and path.is_file()


def _output(path: Path) -> Output:
    _check_place(path)
    with readable(path), path.open("rb") as raw:
        packed = raw.read(2) == _GZIP
        raw.seek(0)
        stream: BinaryIO = gzip.GzipFile(fileobj=raw) if packed else raw  # type: ignore[assignment]
        found = stream.read(MAX_BYTES + 1)
    if b"\0" in found[:MAX_BYTES]:
        raise Refused("UnknownFormat", f"{path}: binary data; an output must be text")
    text = found[:MAX_BYTES].decode("utf-8-sig", "replace").replace("\r\n", "\n")
    header, said, text = _headers(text)
    tool = _sound(str(header.get("tool_name", "")))[:MAX_PARAMETER]
    parameters = _parameters(header.get("match_params"))
    name = " ".join(filter(None, (tool, *parameters.values()))) or path.name.split(".txt")[0]
    text = "" if said.get("status") == "no_data" else _body(text)
    return Output(name[:200], text, tool, parameters, said.get("status") == "error", len(found) > MAX_BYTES)


def _headers(text: str) -> tuple[Json, Json, str]:
    """Take off the lines of JSON that say which tool was asked what, and what became of it."""
    header, rest = _line(text)
    if "tool_name" not in header:
        return {}, {}, text
    said, after = _line(rest)
    return (header, said, after) if "schema_version" in said else (header, {}, rest)


def _line(text: str) -> tuple[Json, str]:
    first, _, rest = text.partition("\n")
    try:
        found = json.loads(first) if first.startswith("{") else {}
    except (ValueError, RecursionError):
        return {}, text
    return found, rest


def _body(text: str) -> str:
    streams = _STREAMS.match(text)
    if streams is not None:
        text = "\n".join(filter(None, (streams["out"], (streams["err"] or "").strip())))
    return _ABOUT_LOGS.sub("", text).strip("\n")


def _parameters(given: Any) -> Mapping[str, str]:
    if not isinstance(given, dict):
        return {}
    told = [
        (_sound(k)[:64], _sound(str(v))[:MAX_PARAMETER]) for k, v in given.items() if isinstance(v, str | int | float)
    ]
    return dict(told[:MAX_PARAMETERS])


def _object(path: Path) -> Json:
    """Return the JSON object of a file; empty where there is none."""
    if not path.is_file():
        return {}
    text = _small(path)
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Refused("BadFile", f"{path}: no JSON: {error}") from error
    if not isinstance(found, dict):
        raise Refused("BadFile", f"{path}: must be a JSON object")
    return found


def _small(path: Path) -> bytes:
    _check_place(path)
    with readable(path), path.open("rb") as file:
        text = file.read(MAX_JSON_BYTES + 1)
    if len(text) > MAX_JSON_BYTES:
        raise Refused("BadFile", f"{path}: larger than 1 MiB")
    return text


def _check_place(path: Path) -> None:
    """Refuse a link out of its folder: who makes a case for others must not have a model read their files."""
    if path.is_symlink() and not path.resolve().is_relative_to(path.parent.resolve()):
        raise Refused("LeadsOutside", f"{path}: a link that leads out of its folder is not followed: copy the file")


def _subject(request: Json, issue: Json) -> Subject | None:
    subject = _within(request, "subject")
    kind = _text(subject, "kind") or _text(subject, "subject_type") or _text(issue, "subject_type")
    name = _text(subject, "name") or _text(issue, "subject_name")
    space = _text(subject, "namespace") or _text(issue, "subject_namespace")
    return Subject(kind.lower(), name, space) if kind and name else None


def _told(request: Json, issue: Json) -> tuple[str, str]:
    notes = _within(_within(issue, "raw"), "annotations")
    told = (_text(request, "description"), _text(issue, "description"), _text(notes, "description"))
    return _text(request, "title") or _text(issue, "title"), next(filter(None, told), "")


def _within(of: Json, key: str) -> Json:
    found = of.get(key)
    return found if isinstance(found, dict) else {}


def _text(of: Json, key: str) -> str:
    found = of.get(key)
    return _sound(" ".join(found.split())[:1024]) if isinstance(found, str) else ""


def _sound(text: str) -> str:
    """Return a text as UTF-8 can say it: escapes in JSON can hold half a character."""
    return text.encode(errors="replace").decode()
