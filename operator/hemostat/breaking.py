"""How pybreaker is told of calls that it does not make.

pybreaker (1.4) holds its lock as long as what it calls takes: one slow call would keep all others waiting.
"""

import pybreaker


def tell(machine: pybreaker.CircuitBreaker, error: Exception | None) -> bool:
    """Tell what came of a call: its error, or that there was none; return whether it was heard.

    It is not while the breaker is open: the call began before that.
    """

    def again() -> None:
        if error is not None:
            raise error

    try:
        machine.call(again)
    except pybreaker.CircuitBreakerError:
        return False
    except Exception as same:
        if same is not error:
            raise
    return True
