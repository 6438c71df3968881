"""The third turn: two agents in a loop, beside a pair of agents in the same loop that nobody cuts (shell)."""

from collections.abc import Callable, Sequence

from hemostat_chaos.agents.board import State
from hemostat_chaos.agents.kinds import AGENTS, CRITIC, PLANNER, TROUBLES
from hemostat_chaos.agents.lab import MODEL, TOOLS, ByApiServer, Lab, Way
from hemostat_chaos.demo.kubectl import Kubectl
from hemostat_chaos.demo.owner import Proof
from hemostat_chaos.demo.tokens import Cost
from hemostat_chaos.experiment.waiting import TimedOut, Waiter

TURN = "ping-pong"
NAMESPACE, UNCUT = "agents", "agents-uncut"
FOLDERS = ("chaos/agents", "chaos/agents/hemostat", "chaos/demo/uncut")
NEEDED = {NAMESPACE: (MODEL, TOOLS, *AGENTS), UNCUT: (MODEL, PLANNER, CRITIC)}
"""Deployments that must be up, by namespace."""
AGAIN_SECONDS = 90.0


class Pair(Lab):
    """The way to the agents that begins what goes wrong twice: where Hemostat cuts, and where nobody does.

    :param clock: seconds that only grow.
    """

    def __init__(self, way: Way, uncut: Lab, clock: Callable[[], float]) -> None:
        super().__init__(way)
        self._uncut = uncut
        self._clock = clock
        self._began = 0.0
        self._conversation = self._twin = self._other = ""
        self.costs: list[Cost] = []

    @classmethod
    def connect(cls, kubectl: Kubectl, clock: Callable[[], float]) -> "Pair":
        """Reach both by the API server."""
        twins = Lab(ByApiServer(kubectl, UNCUT), NEEDED[UNCUT])
        return cls(ByApiServer(kubectl, NAMESPACE), twins, clock)

    def inflict(self, trouble: str) -> Sequence[str]:
        """Begin the conversation here, and right after it its twin."""
        (self._conversation,) = super().inflict(trouble)
        self._began = self._clock()
        (self._twin,) = self._uncut.inflict(trouble)
        return [self._conversation]

    def at(self, moment: str) -> None:
        """Take part in the run: count when it was stopped and at the end, and have the agents do other work between."""
        if moment == "stopped":
            self._count()
            self._other = self.begin(TROUBLES[TURN].kind)
        elif moment == "end" and self._twin:
            self._count()
            self._uncut.clear(self._twin)

    def prove(self, waiter: Waiter) -> Proof:
        """See that the same agents did other work meanwhile, and that the conversation that was cut can go on now."""
        edge = f"{PLANNER} <-> {CRITIC}"
        kind = TROUBLES[TURN].kind
        try:
            waiter.until("their other work is done", lambda: self._unfinished(self._other), AGAIN_SECONDS)
            self.again(self._conversation, kind)
            waiter.until(
                "the conversation comes to its end", lambda: self._unfinished(self._conversation), AGAIN_SECONDS
            )
        except TimedOut as error:
            return Proof(edge, ok=False, message=str(error))
        said = f"{self._other} went on meanwhile; {self._conversation}, begun again, comes to its end"
        return Proof(edge, ok=True, message=said)

    def _unfinished(self, conversation: str) -> str | None:
        entry = self.board()["conversations"].get(conversation, {})
        return None if entry.get("state") == State.DONE else f"{conversation} is {entry.get('state', 'not known')}"

    def _count(self) -> None:
        here, there = self.spent(self._conversation), self._uncut.spent(self._twin)
        self.costs.append(Cost(self._clock() - self._began, here, there))
