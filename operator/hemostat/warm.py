"""`python -m hemostat.warm` fills the cache of compiled code; the image does that when it is built."""

import numpy as np

from hemostat.memory.index import Index
from hemostat.signals.detectors import ChangePoint, Forecast, Unusual
from hemostat.signals.loops.bank import Bank
from hemostat.telemetry.otlp import check_logs, from_json
from hemostat.telemetry.window import TraceWindows


def main() -> None:
    """Call everything that is compiled, once, with the types it is called with."""
    TraceWindows().warm()
    from_json(b"{}")
    check_logs(b"")
    Bank(1).warm()
    Index(1).search(np.zeros(1, np.float32), None, 1)
    rows, values = np.zeros(1, np.int64), np.zeros(1)
    Unusual(1).step(rows, values, 0.0)
    ChangePoint(1).step(rows, values, 0.0)
    Forecast(1, limit=1.0).step(rows, values, 0.0)


if __name__ == "__main__":
    main()
