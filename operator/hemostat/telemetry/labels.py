"""What the numbers of series stand for, read out of the tables once: only what changed is looked at again (pure)."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from hemostat.telemetry.kernel import tables
from hemostat.telemetry.kernel.fold import Fold
from hemostat.telemetry.names import callee_name, printable


class Label(NamedTuple):
    """What a series counts."""

    kind: int
    """OTLP span kind of an operation, or NAMED, SERVED, AGENT."""
    owner: str
    """Service whose operation or agent it is; the caller of an edge."""
    name: str
    """Operation, agent or callee."""


class Labels:
    """The labels of a fold's series. Not thread-safe."""

    def __init__(self, fold: Fold) -> None:
        self._fold = fold
        self._names: dict[int, str] = {}
        self._keys = np.full(tables.MAX_SERIES, -1, np.int64)
        self._real = np.zeros(tables.MAX_SERIES, np.int64)
        self._found: dict[int, Label] = {}

    def by_series(self) -> Mapping[int, Label]:
        """Return the label of every series in use. What was returned is never changed afterwards."""
        keys, real = self._fold.series[:, tables.S_KEY], self._fold.series[:, tables.S_REAL]
        changed = np.flatnonzero((keys >= 0) & ((keys != self._keys) | (real != self._real)))
        if len(changed):
            self._found = self._found | {s: self._label(int(keys[s]), int(real[s])) for s in changed.tolist()}
            self._keys, self._real = keys.copy(), real.copy()
        return self._found

    def forget(self) -> None:
        """Forget what the fold has released, before the numbers come to mean something else."""
        free = self._fold.series[:, tables.S_KEY] < 0
        self._keys[free] = -1
        self._found = {s: label for s, label in self._found.items() if not free[s]}
        unused = self._fold.names[:, tables.N_LENGTH] < 0
        self._names = {n: name for n, name in self._names.items() if not unused[n]}

    def _label(self, key: int, real: int) -> Label:
        kind, owner, about = key >> 48, self._name(key >> 24 & 0xFFFFFF), self._name(key & 0xFFFFFF)
        if kind == tables.NAMED:
            about = self._name(real - 1) if real > 0 else callee_name(about)
        return Label(kind, owner, about)

    def _name(self, number: int) -> str:
        if number not in self._names:
            text = self._fold.texts[number, : self._fold.names[number, tables.N_LENGTH]].tobytes()
            self._names[number] = printable(text.decode("utf-8", "replace"))
        return self._names[number]
