"""Server-Sent Events: how steps are written, and where somebody left off (pure; the format of WHATWG HTML, 9.2)."""

import json
import re
from collections.abc import Sequence

from hemostat.clock import rfc3339
from hemostat.progress.step import Page, Told

OPENING = "retry: 3000\n\n"
HEARTBEAT = ": still there\n\n"
_ID = re.compile(r"([0-9a-f]{8})-(\d{1,9})")


def resumed(last_event_id: str) -> tuple[str, int]:
    """Return epoch and number of a Last-Event-ID; no epoch for one that is none, which begins at the beginning."""
    found = _ID.fullmatch(last_event_id.strip())
    return (found[1], int(found[2])) if found else ("?" if last_event_id.strip() else "", 0)


def steps(page: Page, told: Sequence[Told]) -> str:
    """Return events for steps."""
    return "".join(_step(page.epoch, t) for t in told)


def reset(number: int) -> str:
    """Return the event that says: forget what you have, all that is kept follows."""
    said = "what was told before is another telling, or is not kept any more: all that is kept follows"
    return f"event: reset\n{_data({'from': number, 'message': said})}\n\n"


def end(message: str) -> str:
    """Return the event after which there is nothing to wait for."""
    return f"event: end\n{_data({'message': message})}\n\n"


def _step(epoch: str, told: Told) -> str:
    step = told.step
    found = {
        "number": told.number,
        "time": rfc3339(told.time),
        "stage": step.stage.value,
        "step": step.what,
        "by": step.by,
        "message": step.message,
    }
    return f"id: {epoch}-{told.number}\nevent: step\n{_data(found)}\n\n"


def _data(value: object) -> str:
    """Return one line: JSON escapes every line break, so that no text ends an event."""
    return f"data: {json.dumps(value)}"
