"""Orders from a directory: a mounted ConfigMap, or a plain folder on a laptop. One file per order.

A kubelet brings a change into the mount only at its next sync: up to a minute and more. In a cluster `configmap.py` is
the way; this one needs no right at all.
"""

import stat
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from hemostat.guard.orders import MAX_ORDER_BYTES, MAX_ORDERS


class OrderDirectory:
    """Looks at a folder. Names that begin with a dot are the kubelet's own."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)

    def look(self) -> Mapping[str, str]:
        """Return what is ordered now; a folder that is not there orders nothing. OSError when it cannot be read.

        One byte more than an order may have is read, and no more files than refuse themselves: nothing here can fill
        the memory. What is no regular file is passed over: a pipe would never answer.
        """
        found: dict[str, str] = {}
        try:
            entries = list(self._path.iterdir())
        except FileNotFoundError:
            return {}
        for entry in entries:
            if entry.name.startswith(".") or len(found) > MAX_ORDERS:
                continue
            with suppress(FileNotFoundError):  # taken away meanwhile: the others stand
                if _is_regular(entry):
                    with entry.open("rb") as file:
                        found[entry.name] = file.read(MAX_ORDER_BYTES + 1).decode("utf-8", "replace")
        return found


def _is_regular(entry: Path) -> bool:
    return stat.S_ISREG(entry.stat().st_mode)
