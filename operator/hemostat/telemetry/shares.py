"""Room that several senders ask for, so that none of them alone can take it all (pure).

The dynamic threshold of Choudhury and Hahne (1998): who has something already gets more only while at least as much
stays free as it then has. One sender alone can take half; whoever comes then still finds room.
"""


class Shares:
    """A bounded amount of anything that can be taken and given back. Not thread-safe.

    :param room: how much there is.
    """

    def __init__(self, room: int) -> None:
        self._free = room
        self._taken: dict[str, int] = {}

    def take(self, who: str, size: int = 1) -> bool:
        """Take an amount, and tell whether there was room for it; then `give` must follow."""
        has, left = self._taken.get(who, 0), self._free - size
        if left < (has + size if has else 0):
            return False
        self._free = left
        self._taken[who] = has + size
        return True

    def give(self, who: str, size: int = 1) -> None:
        """Give back what was taken."""
        self._free += size
        self._taken[who] -= size
        if not self._taken[who]:
            del self._taken[who]
