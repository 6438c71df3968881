"""How an agent works at a conversation, turn by turn, whoever asked it to."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Mapping
from dataclasses import dataclass

from hemostat.guard import Guard, acting
from hemostat_chaos.agents import kinds
from hemostat_chaos.agents.faults import Switches
from hemostat_chaos.agents.framework import Mind
from hemostat_chaos.agents.letter import Busy, Later, Letter, Outcome
from hemostat_chaos.agents.peers import Peers
from hemostat_chaos.agents.settings import Settings

WORK_SECONDS = 1800.0
MAX_TRIES = 200
FIRST_PAUSE, LONGEST_PAUSE, IMPATIENT_PAUSE = 1.0, 30.0, 0.3
"""Seconds between two tries at a provider that refuses: doubled each time, or always as short."""
FIRST_LOCK, SECOND_LOCK = "text", "index"


class Worker:
    """One agent's policy."""

    def __init__(
        self, name: str, settings: Settings, guard: Guard, mind: Mind, peers: Peers, switches: Switches
    ) -> None:
        self.name = name
        self._settings = settings
        self._guard = guard
        self._mind = mind
        self._switches = switches
        self.peers = peers

    async def work(self, letter: Letter) -> str | None:
        """Work until there is an answer, or until the conversation was handed over (None).

        Raises the guard's refusals, Busy, PeerFailed, TimeoutError.
        """
        text = letter.text
        async with asyncio.timeout(WORK_SECONDS):
            while True:
                outcome = await self._persist(letter, text)
                if not isinstance(outcome, Later):
                    return outcome if isinstance(outcome, str) else None
                await self._pause(outcome.seconds)
                text = "Look again."

    async def _persist(self, letter: Letter, text: str) -> Outcome:
        """Take a turn; when the provider refuses, take it again later."""
        for tries in itertools.count():
            try:
                return await self._turn(letter, text)
            except Busy:
                if tries >= MAX_TRIES:
                    raise
            impatient = self._switches.of(letter.conversation).impatient
            await self._pause(IMPATIENT_PAUSE if impatient else min(FIRST_PAUSE * 2**tries, LONGEST_PAUSE))
        raise AssertionError("count() has no end")

    async def _turn(self, letter: Letter, text: str) -> Outcome:
        with acting(self.name, letter.conversation):
            self._guard.governor.turn(letter.conversation)
            self._guard.governor.remember(letter.conversation, {"kind": letter.kind, "text": text[:1000]})
            return await self._mind.run(letter, text, _Hands(self, letter))

    async def _pause(self, seconds: float) -> None:
        await asyncio.sleep(seconds * self._settings.pause_factor)

    async def revise(self, letter: Letter, document: str) -> str:
        """Revise a document under both of its locks, which every conversation has for itself."""
        order = [FIRST_LOCK, SECOND_LOCK]
        if self.name == kinds.CRITIC and self._switches.of(letter.conversation).crossed_locks:
            order.reverse()
        first, second = (f"{letter.conversation}.{document}.{part}" for part in order)
        async with self.peers.locks.held(first, self.name):
            await asyncio.sleep(self._settings.revise_seconds)
            async with self.peers.locks.held(second, self.name):
                return await self.peers.use(
                    "edit", letter.conversation, {"path": document, "change": f"by the {self.name}"}
                )


@dataclass(frozen=True, slots=True)
class _Hands:
    """A worker's abilities in one conversation."""

    worker: Worker
    letter: Letter

    async def use(self, tool: str, arguments: Mapping[str, str]) -> str:
        return await self.worker.peers.use(tool, self.letter.conversation, arguments)

    async def ask(self, agent: str, text: str) -> str:
        return await self.worker.peers.ask(agent, self.letter.model_copy(update={"text": text}))

    async def send(self, agent: str, text: str) -> None:
        await self.worker.peers.send(agent, self.letter.model_copy(update={"text": text}))

    async def revise(self, document: str) -> str:
        return await self.worker.revise(self.letter, document)
