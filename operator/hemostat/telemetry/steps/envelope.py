"""Content out of the envelopes that LangChain's instrumentations put around it (pure).

The envelope names the step, the call and the run, which are new each time, so that no two calls would ever be equal.
"""

from typing import Any

from hemostat.telemetry.steps.digest import parsed


def opened(content: Any) -> Any:
    """Return what is inside; the content itself if there is no envelope that we know."""
    found = parsed(content) if isinstance(content, str) else content
    if not isinstance(found, dict):
        return content
    if "input_str" in found and "inputs" in found:  # OpenLLMetry: what a tool was asked
        return found["inputs"] if found["inputs"] is not None else found["input_str"]
    message = found.get("output") if "kwargs" in found else found  # OpenLLMetry: what it answered
    if isinstance(message, dict):
        inner = message.get("kwargs" if message.get("lc") else "data")  # LangChain's two ways to write a message
        if isinstance(inner, dict) and "content" in inner:
            return inner["content"]
    return content
