"""How much may be answered at once, and how much of it to one user (asyncio)."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from hemostat.errors import Refused
from hemostat.serve.identity import TOO_MANY, Caller


class Slots:
    """Places for what is under way. Used from one event loop.

    :param most: of all.
    :param of_one: of one user.
    :param said: what is told to who gets none.
    """

    def __init__(self, most: int, of_one: int, said: str) -> None:
        self._most, self._of_one, self._said = most, of_one, said
        self.taken: Counter[str] = Counter()
        """By user name."""

    @contextmanager
    def of(self, caller: Caller) -> Iterator[None]:
        """Hold a place. Raises `Refused` where there is none."""
        if self.taken.total() >= self._most or self.taken[caller.user] >= self._of_one:
            raise Refused(TOO_MANY, self._said)
        self.taken[caller.user] += 1
        try:
            yield
        finally:
            self.taken -= Counter({caller.user: 1})
