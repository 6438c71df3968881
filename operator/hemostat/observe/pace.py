"""When a query is asked again, by what became of it (pure)."""

SLOW_SECONDS = 1.0
"""A query that takes longer is slow: it waits its turn behind those that are not known to be."""
SHARE = 4.0
"""A query may keep Prometheus busy for one fourth of the time."""
LONGEST_SECONDS = 60.0
"""How long a query that is slow or fails waits at most."""


def pause(every: float, took: float, failures: int) -> float:
    """Return the seconds between two askings of a query.

    :param every: how often it is wanted, in seconds.
    :param took: how long it took last time.
    :param failures: how often in a row it failed while Prometheus was there: each doubles the wait.
    """
    own = max(every, SHARE * took)
    doubled = own * 2.0 ** min(max(0, failures - 1), 10)
    return max(every, min(LONGEST_SECONDS, doubled))
