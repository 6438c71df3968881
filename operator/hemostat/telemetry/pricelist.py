"""Reads the prices of models: those that litellm ships, and those of a file that a person names (shell).

litellm itself is not imported: that takes seconds and a hundred megabytes.
"""

import hashlib
import json
import logging
from importlib import metadata
from pathlib import Path
from typing import Any

from hemostat.errors import Broken
from hemostat.telemetry.prices import Prices, is_read, table, usable

LOG = logging.getLogger(__name__)
PACKAGE, PATTERN = "litellm", "model_prices_and_context_window*.json"
MAX_BYTES = 32 << 20
SETTING = "HEMOSTAT_PRICES_FILE"


def load(file: str | None = None) -> Prices:
    """Return litellm's prices, and over them those of a file in the same format.

    Raises `Broken` that names the setting and says what is wrong with the file.
    """
    shipped = of_package()
    return shipped if file is None else of_file(Path(file)).over(shipped)


def of_package(package: str = PACKAGE) -> Prices:
    """Return the prices in the files of an installed package; an empty table, and a word in the log, without any."""
    try:
        distribution = metadata.distribution(package)
        path = next(Path(str(distribution.locate_file(package))).glob(PATTERN), None)
        if path is None:
            raise FileNotFoundError(f"no {PATTERN} in {package} {distribution.version}")
        return usable(_read(path, lean=True), f"{package} {distribution.version}")
    except (metadata.PackageNotFoundError, OSError, ValueError) as error:
        LOG.warning("prices of models are not known: %s; name a file in %s", error, SETTING)
        return Prices()


def of_file(path: Path) -> Prices:
    """Return the prices in a file."""
    try:
        entries = _read(path, lean=False)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()[:8]
        return table(entries, f"{path.name} {digest}")
    except (OSError, ValueError) as error:
        raise Broken(f"{SETTING}: {path} cannot be used: {error}") from None


def _read(path: Path, *, lean: bool) -> dict[str, Any]:
    """Read a JSON object; `lean` drops what is not used while reading, which takes a fifth of the memory."""
    if (size := path.stat().st_size) > MAX_BYTES:
        raise ValueError(f"it has {size:,} bytes, more than {MAX_BYTES:,}")
    found = json.loads(path.read_bytes(), object_pairs_hook=_used if lean else dict)
    if not isinstance(found, dict):
        raise ValueError('it must be a JSON object: {"my-model": {"input_cost_per_token": 1e-6, ...}}')  # noqa: TRY004
    return found


def _used(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return {name: value for name, value in pairs if is_read(name) or (type(value) is dict and value)}
