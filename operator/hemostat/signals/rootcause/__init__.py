"""Root cause ranking: signs of trouble on services and edges, and the call graph -> ranked services (pure).

`evidence` says what a sign is, `rank` orders the services, `series` finds signs in recorded time series. Who already
has signs (firing signals, changes) needs the first two only.
"""

from hemostat.signals.rootcause.evidence import Sign, Trouble
from hemostat.signals.rootcause.rank import Candidate, rank

__all__ = ["Candidate", "Sign", "Trouble", "rank"]
