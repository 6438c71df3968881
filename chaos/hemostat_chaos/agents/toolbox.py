"""What the tools answer. Jobs are the only thing that changes, each conversation having its own (pure)."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Mapping

from hemostat_chaos.agents.faults import Faults

PAGES = 5
LOOKS = 5
"""A job is done after it was looked at so often."""
WORDS = 80
MAX_CONVERSATIONS = 10_000
Arguments = Mapping[str, str]


class Toolbox:
    """The tools by name; `build` only says what it built, for it takes time and not thought."""

    def __init__(self) -> None:
        self._looks: OrderedDict[tuple[str, str], int] = OrderedDict()
        self._tools: Mapping[str, Callable[[str, Arguments, Faults], str]] = {
            "search": self._search,
            "read": self._read,
            "status": self._status,
            "edit": self._edit,
            "build": self._build,
        }

    def use(self, tool: str, conversation: str, arguments: Arguments, faults: Faults) -> str:
        """Return a tool's answer. KeyError for a tool or an argument that there is not."""
        return self._tools[tool](conversation, arguments, faults)

    def _search(self, _conversation: str, arguments: Arguments, _faults: Faults) -> str:
        query, page = arguments["query"], int(arguments.get("page", "1"))
        if "titanium" in query:
            return "No document matches."
        end = "the last page" if page >= PAGES else f"page {page} of {PAGES}"
        return f"{query.capitalize()}: {', '.join(f'{_digest(query, page, n)}' for n in range(3))}; {end}"

    def _read(self, _conversation: str, arguments: Arguments, faults: Faults) -> str:
        name = arguments["document"]
        return f"{name}: " + " ".join(_digest(name, n) for n in range(WORDS + faults.verbose))

    def _status(self, conversation: str, arguments: Arguments, faults: Faults) -> str:
        job = arguments["job"]
        key = conversation, job
        looks = self._looks.setdefault(key, 0)
        self._looks.move_to_end(key)
        while len(self._looks) > MAX_CONVERSATIONS:
            self._looks.popitem(last=False)
        if not faults.stuck:
            self._looks[key] = looks = looks + 1
        if looks >= LOOKS:
            return f"job {job} is done"
        return f"job {job} is queued" if job == "slow" else f"job {job}: {looks * 100 // LOOKS} %"

    def _edit(self, _conversation: str, arguments: Arguments, _faults: Faults) -> str:
        return f"{arguments['path']} is saved as {_digest(arguments['path'], arguments['change'])}"

    def _build(self, _conversation: str, arguments: Arguments, _faults: Faults) -> str:
        return f"{arguments['target']} is built"


def _digest(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:7]
