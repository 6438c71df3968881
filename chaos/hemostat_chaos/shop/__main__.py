"""`python -m hemostat_chaos.shop ROLE`: run one role of the sample workload."""

import asyncio
import os
import signal
import sys
from types import FrameType

from hemostat_chaos.shop import settings as config


def main(arguments: list[str]) -> int:
    """Run one role and return the exit code: 0 after SIGTERM, 2 for settings that are refused."""
    # Process 1 of a container ignores SIGTERM until a handler is set, and the imports below take a while.
    signal.signal(signal.SIGTERM, _leave)
    try:
        role = arguments[0] if len(arguments) == 1 else ""
        settings = config.read(role, os.environ)
    except config.SettingsError as error:
        print(f"shop: {error}", file=sys.stderr)
        return 2

    from hemostat_chaos.shop import process  # here, so that bad settings are refused before slow imports

    def say(text: str) -> None:
        print(f"{settings.role.name}: {text}", flush=True)

    asyncio.new_event_loop().run_until_complete(process.run(settings, say))
    return 0


def _leave(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)


if __name__ == "__main__":
    exit_code = main(sys.argv[1:])
    sys.stderr.flush()
    # An ordinary exit waits for every helper thread, and one may be in a name lookup for many seconds.
    os._exit(exit_code)
