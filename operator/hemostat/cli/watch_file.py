"""Reading a Watch from a YAML file as strictly as the API server would take it."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from hemostat.errors import Refused

if TYPE_CHECKING:
    from hemostat.api.meta import Model
    from hemostat.api.watch import Watch

MAX_FILE_BYTES = 1024 * 1024
API_VERSION = "hemostat.dev/v1alpha1"


def load(file: Path) -> "Watch":
    """Read the one Watch of a YAML file. Raises `Refused` with file and place."""
    from pydantic import ValidationError  # here: `--help` loads no pydantic

    from hemostat.api.meta import ObjectMeta
    from hemostat.api.watch import Watch

    document = _document(file)
    if document.pop("apiVersion", None) != API_VERSION:
        raise Refused("BadFile", f"{file}: apiVersion must be {API_VERSION}")
    known = {field.alias or name for name, field in ObjectMeta.model_fields.items()}
    metadata = document.get("metadata")
    if isinstance(metadata, dict):  # all of it is the API server's, we know a part
        document["metadata"] = {key: value for key, value in metadata.items() if key in known}
    plain = {key: value for key, value in document.items() if key not in {"kind", "status"}}
    try:
        found = Watch.model_validate(plain, extra="forbid", by_alias=True, by_name=False)
    except ValidationError as error:
        first = error.errors()[0]
        said = "unknown field" if first["type"] == "extra_forbidden" else first["msg"]
        raise Refused("BadFile", f"{file}: {_place(first['loc'])}: {said}") from error
    except RecursionError as error:
        raise Refused("BadFile", f"{file}: nested too deeply") from error
    for place, message in _broken_rules(found, ()):
        raise Refused("BadFile", f"{file}: {_place(place)}: {message}")
    names = [signal.name for signal in found.spec.signals]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise Refused("BadFile", f"{file}: spec.signals: two of them are named {', '.join(twice)}")
    return found


def _document(file: Path) -> dict[str, Any]:
    try:
        with file.open("rb") as opened:
            text = opened.read(MAX_FILE_BYTES + 1)
        if len(text) > MAX_FILE_BYTES:
            raise Refused("BadFile", f"{file}: larger than 1 MiB")
        documents = [d for d in yaml.safe_load_all(text) if isinstance(d, dict) and d.get("kind") == "Watch"]
    except OSError as error:
        raise Refused("BadFile", f"{file}: {error.strerror or error}") from error
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise Refused("BadFile", f"{file}: not YAML: {' '.join(str(error).split())}") from error
    if len(documents) != 1:
        named = [d["metadata"] for d in documents if isinstance(d.get("metadata"), dict)]
        names = ", ".join(str(metadata.get("name")) for metadata in named)
        raise Refused("BadFile", f"{file}: must hold one Watch, has {len(documents)}{f': {names}' if names else ''}")
    return documents[0]


def _broken_rules(model: "Model", place: tuple[int | str, ...]) -> Iterator[tuple[tuple[int | str, ...], str]]:
    """Yield (place, message) of the CEL rules that the CRD has for this object and that it breaks."""
    import cel

    from hemostat.api.meta import Model

    extra = type(model).model_config.get("json_schema_extra")
    if isinstance(extra, dict):
        value = model.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude_none=True)
        rules: Any = extra.get("x-kubernetes-validations", ())
        for rule in rules:
            if not cel.evaluate(rule["rule"], {"self": value}):
                yield place, rule["message"]
    for name, field in type(model).model_fields.items():
        value = getattr(model, name)
        for index, item in enumerate(value if isinstance(value, tuple) else (value,)):
            if isinstance(item, Model):
                here = (*place, field.alias or name)
                yield from _broken_rules(item, (*here, index) if isinstance(value, tuple) else here)


def _place(parts: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in parts)
