"""Reading Hemostat's objects from YAML files as strictly as the API server would take them."""

import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from datetime import date
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import yaml

from hemostat.api import API_VERSION, GROUP
from hemostat.errors import Refused
from hemostat.replay import boundedyaml

if TYPE_CHECKING:
    from hemostat.api.meta import Model

    M = TypeVar("M", bound=Model)

MAX_FILE_BYTES = 1024 * 1024
Json = dict[str, Any]
Place = tuple[int | str, ...]
Wrong = tuple[Place, str]
"""A place within an object, and what is wrong there."""


def load(file: Path, model: "type[M]") -> "M":
    """Read the one object of this kind in a YAML file. Raises `Refused` (BadFile) with file and place."""
    found = documents(file, model.__name__)
    if len(found) != 1:
        names = ", ".join(_name(d) for d in found)
        many = f"must hold one {model.__name__}, has {len(found)}{f': {names}' if names else ''}"
        raise Refused("BadFile", f"{file}: {many}")
    read, wrong = strictly(model, found[0])
    if read is None:
        raise Refused("BadFile", f"{file}: {told(wrong[0])}")
    return read


def every(file: Path, model: "type[M]") -> "list[tuple[str, M | None, list[Wrong]]]":
    """Return name, object (None if it is none) and what is wrong of each object of this kind in a file, one at least.

    What is of no kind, or of one that is only nearly a kind of Hemostat's, may have been meant: it is told as wrong.
    Raises `Refused` (BadFile) for what is no YAML, or has none of the kind.
    """
    kind, found = model.__name__, _everything(file)
    strange: list[tuple[str, M | None, list[Wrong]]] = [
        ("?", None, [((), said)]) for said in map(_strange, found) if said
    ]
    mine = [d for d in found if isinstance(d, dict) and d.get("kind") == kind]
    if not (mine or strange):
        raise Refused("BadFile", f"{file}: has no {kind}")
    return [*((_name(document), *strictly(model, document)) for document in mine), *strange]


def _strange(document: Any) -> str:
    """Say why a document is nothing that anybody reads; an empty text of what is for somebody else."""
    from hemostat.api.resources import RESOURCES

    if not isinstance(document, dict) or not isinstance(document.get("kind"), str):
        return "no object: it has no kind"
    kind, kinds = document["kind"], [r.kind for r in RESOURCES]
    ours = str(document.get("apiVersion")).partition("/")[0] == GROUP
    near = get_close_matches(kind, kinds, n=1, cutoff=0.6 if ours else 0.8)
    if kind in kinds or not (near or ours):
        return ""
    return f"{kind} is no kind of {API_VERSION}; " + (
        f"did you mean {near[0]}?" if near else f"they are {', '.join(kinds)}"
    )


def documents(file: Path, kind: str) -> list[Json]:
    """Return the documents of a kind, those in Lists too. Raises `Refused` (BadFile) for what is no YAML."""
    return [d for d in _everything(file) if isinstance(d, dict) and d.get("kind") == kind]


def _everything(file: Path) -> list[Any]:
    try:
        with nullcontext(sys.stdin.buffer) if str(file) == "-" else file.open("rb") as opened:
            text = opened.read(MAX_FILE_BYTES + 1)
        if len(text) > MAX_FILE_BYTES:
            raise Refused("BadFile", f"{file}: larger than 1 MiB")
        read = boundedyaml.documents(text)
        return [item for document in read if document is not None for item in _items(document)]
    except OSError as error:
        raise Refused("BadFile", f"{file}: {error.strerror or error}") from error
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise Refused("BadFile", f"{file}: not YAML: {' '.join(str(error).split())}") from error


def strictly(model: "type[M]", document: Json) -> "tuple[M | None, list[Wrong]]":
    """Return the object, or None and everything that the API server would refuse. `status` is not read: it is not ours.

    Unknown fields, numbers as text, rules in CEL and doubled keys of lists count; what is unknown in `metadata` not.
    """
    from hemostat.api.meta import ObjectMeta

    if document.get("apiVersion") != API_VERSION:
        return None, [((), f"apiVersion must be {API_VERSION}")]
    plain = {key: value for key, value in document.items() if key not in {"apiVersion", "kind", "status"}}
    known = {field.alias or name for name, field in ObjectMeta.model_fields.items()}
    if isinstance(metadata := plain.get("metadata"), dict):  # all of it is the API server's, we know a part
        plain["metadata"] = {key: value for key, value in metadata.items() if key in known}
    read, wrong = _validated(model, plain)
    if read is not None:
        wrong = [*_broken_rules(read, ()), *_doubled(read, ())]
    return (None, wrong) if wrong else (read, [])


class _Readable(yaml.SafeDumper):
    """Writes text of several lines as it stands."""


_Readable.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None),
)


def printed(document: Json) -> str:
    """Return a document as YAML for people: `guidance` as the text that it is."""
    return yaml.dump(document, Dumper=_Readable, sort_keys=False, allow_unicode=True, width=110)


def told(wrong: Wrong) -> str:
    """Say where something is wrong, and what."""
    place, said = wrong
    return f"{'.'.join(str(part) for part in place)}: {said}" if place else said


def _name(document: Json) -> str:
    metadata = document.get("metadata")
    return str(metadata.get("name", "?")) if isinstance(metadata, dict) else "?"


def _items(document: Any) -> list[Any]:
    if isinstance(document, dict) and document.get("kind") == "List" and isinstance(document.get("items"), list):
        return list(document["items"])
    return [document]


def _validated(model: "type[M]", plain: Json) -> "tuple[M | None, list[Wrong]]":
    from pydantic import ValidationError

    try:
        model.model_validate(plain, extra="forbid", by_alias=True, by_name=False)
        # only what passed once is bounded enough to be written as JSON, of which alone pydantic takes types strictly
        text = json.dumps(plain, default=_moment)
        return model.model_validate_json(text, strict=True, extra="forbid", by_alias=True, by_name=False), []
    except ValidationError as error:
        return None, [
            (e["loc"], "unknown field" if e["type"] == "extra_forbidden" else e["msg"]) for e in error.errors()
        ]
    except RecursionError:
        return None, [((), "nested too deeply")]
    except TypeError as error:  # YAML has types that JSON lacks: !!binary, !!set
        return None, [((), str(error))]


def _moment(value: Any) -> str:
    """YAML knows times, JSON does not."""
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"no JSON value: {value!r}")


def _children(model: "Model", place: Place) -> Iterator[tuple[Place, "Model"]]:
    from hemostat.api.meta import Model

    for name, field in type(model).model_fields.items():
        value = getattr(model, name)
        for index, item in enumerate(value if isinstance(value, tuple) else (value,)):
            if isinstance(item, Model):
                here = (*place, field.alias or name)
                yield ((*here, index) if isinstance(value, tuple) else here), item


def _broken_rules(model: "Model", place: Place) -> Iterator[Wrong]:
    """Yield what breaks the CEL rules that the CRD has for this object."""
    import cel

    extra = type(model).model_config.get("json_schema_extra")
    if isinstance(extra, dict):
        value = model.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude_none=True)
        rules: Any = extra.get("x-kubernetes-validations", ())
        for rule in rules:
            if not cel.evaluate(rule["rule"], {"self": value}):
                yield place, rule["message"]
    for here, item in _children(model, place):
        yield from _broken_rules(item, here)


def _doubled(model: "Model", place: Place) -> Iterator[Wrong]:
    """Yield lists with two items of one key, and sets with one item twice."""
    for name, field in type(model).model_fields.items():
        extra = field.json_schema_extra
        value = getattr(model, name)
        if not isinstance(extra, Mapping) or not isinstance(value, tuple):
            continue
        here = (*place, field.alias or name)
        if extra.get("x-kubernetes-list-type") == "set":
            yield from ((here, f"{text} is listed twice") for text in _twice(str(v) for v in value))
        elif keys := extra.get("x-kubernetes-list-map-keys"):
            items = (item.wire() for item in value)
            named = _twice(" ".join(str(item.get(key)) for key in keys) for item in items)  # type: ignore[union-attr]
            yield from ((here, f"two of them are named {text}") for text in named)
    for here, item in _children(model, place):
        yield from _doubled(item, here)


def _twice(names: Iterator[str]) -> list[str]:
    return sorted(name for name, count in Counter(names).items() if count > 1)
