"""The ordinary faults a bad rollout brings: failures, slowness and a memory leak."""

import asyncio
import random

from hemostat_chaos.shop.settings import Settings

# Where no memory limit ends the leak, this does: a demonstration must not take the machine with it.
LEAK_CEILING_MB = 1024
_LEAK_STEP = 0.25
_SPREAD = 0.1


class Faults:
    """Decides, from one seeded source, how long each request works and whether it fails."""

    def __init__(self, settings: Settings) -> None:
        self._random = random.Random(settings.seed)  # noqa: S311 - reproducible on purpose
        self._work = settings.work
        self._extra = settings.extra_latency
        self._fail = settings.fail_percent / 100

    def work_seconds(self) -> float:
        """Return the work time of the next request: the set time, give or take a tenth."""
        return self._work * self._random.uniform(1 - _SPREAD, 1 + _SPREAD) + self._extra

    def fails(self) -> bool:
        """Return whether the next request is to be answered with 500."""
        return self._random.random() < self._fail


async def leak(mb_per_second: float) -> None:
    """Lose memory at this rate until the ceiling; the kernel's memory limit normally comes first."""
    lost: list[bytes] = []
    step = mb_per_second * _LEAK_STEP
    for _ in range(int(LEAK_CEILING_MB / step)):
        # A repeated non-zero byte is really written; zeroed pages would cost no memory until touched.
        lost.append(b"\x01" * int(step * 2**20))
        await asyncio.sleep(_LEAK_STEP)
    await asyncio.Event().wait()  # keeps `lost` alive until the process is told to stop
