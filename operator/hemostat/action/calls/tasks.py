"""Tasks of an A2A agent: the only clean end of a call that hangs already (pure).

JSON-RPC `GetTask`, `ListTasks` and `CancelTask` of protocol 1.0, `tasks/get` and `tasks/cancel` of 0.3.
https://a2a-protocol.org/latest/specification/
"""

from collections.abc import Mapping, Sequence
from typing import Any

from hemostat.action.calls.base import Answer, Request, Seen, failed, mapping
from hemostat.api.remediation import Call
from hemostat.errors import Refused

ENDED = "ended"
"""The field that a look yields, beside `exists` and `task`: its id."""
_OVER = frozenset({"completed", "failed", "canceled", "rejected"})
_NOT_FOUND, _NOT_CANCELABLE = -32001, -32002
_MAX_TASKS = 50
_MAX_WORDS = 200


class A2ATask:
    """A task by its id or, from protocol 1.0 on, the one that runs in a context."""

    secret = None

    def __init__(self, get: str, listing: str, cancel: str, version: str) -> None:
        self._get, self._list, self._cancel = get, listing, cancel
        self._headers = {"A2A-Version": version} if version else {}

    def questions(self, call: Call) -> Sequence[Request]:
        """Ask for the task of that id, then for those of the context of that id."""
        one = self._request(call, self._get, {"id": call.id, "historyLength": 0})
        if not self._list:
            return (one,)
        several = {"contextId": call.id, "pageSize": _MAX_TASKS, "historyLength": 0, "includeArtifacts": False}
        return one, self._request(call, self._list, several)

    def seen(self, call: Call, answers: Sequence[Answer]) -> Seen | None:
        """Return whether it exists and has ended. Raises `Refused` (WhichTask) if several run in the context."""
        code, _ = _error(answers[0])
        if code is None:
            return _of([_result(call, answers[0])])
        if code != _NOT_FOUND:
            raise _refusal(call, answers[0])
        if not self._list:
            return _of([])
        if len(answers) == 1:
            return None
        if _error(answers[1])[0] is not None:  # an agent without `ListTasks`
            return _of([])
        listed = _result(call, answers[1]).get("tasks")
        return _of([mapping(t) for t in listed[:_MAX_TASKS]] if isinstance(listed, list) else [])

    def obstacle(self, call: Call, wanted: Seen, seen: Seen) -> tuple[str, str] | None:
        """It must be there and run."""
        if not seen["exists"]:
            return "NoTask", f"{call.url} knows no task or context {call.id[:64]}: its conversation is named otherwise"
        if wanted[ENDED] and seen[ENDED]:
            return "NotNeeded", f"task {call.id[:64]} has ended by itself"
        return None

    def demand(self, call: Call, wanted: Seen, seen: Seen) -> Request:
        """Cancel it."""
        assert wanted[ENDED]  # nothing brings a task back
        return self._request(call, self._cancel, {"id": seen["task"]})

    def judge(self, call: Call, answer: Answer) -> None:
        """An error is a refusal; which, the agent says."""
        code, _ = _error(answer)
        if code is not None:
            raise _refusal(call, answer)
        _result(call, answer)

    def _request(self, call: Call, method: str, params: Mapping[str, Any]) -> Request:
        body = {"jsonrpc": "2.0", "id": "hemostat", "method": method, "params": params}
        return Request("POST", call.url, body, self._headers)


def _of(tasks: Sequence[Mapping[str, Any]]) -> Seen:
    running = [t for t in tasks if _state(t) not in _OVER]
    if len(running) > 1:
        raise Refused("WhichTask", f"{len(running)} tasks run in that context: which of them loops, traces do not tell")
    return {"exists": bool(tasks), ENDED: not running, "task": str(running[0].get("id", ""))[:253] if running else ""}


def _state(task: Mapping[str, Any]) -> str:
    return str(mapping(task.get("status")).get("state", "")).removeprefix("TASK_STATE_").lower()


def _result(call: Call, answer: Answer) -> Mapping[str, Any]:
    found = mapping(answer.body).get("result")
    if answer.status != 200 or not isinstance(found, Mapping):
        raise failed(call, answer)
    return found


def _error(answer: Answer) -> tuple[int | None, str]:
    """Return code and words of a JSON-RPC error, None if it is none."""
    error = mapping(answer.body).get("error")
    if not isinstance(error, Mapping):
        return None, ""
    code = error.get("code")
    words = "".join(c if c.isprintable() else " " for c in str(error.get("message", ""))[:_MAX_WORDS])
    return (code if isinstance(code, int) else 0), words


def _refusal(call: Call, answer: Answer) -> Refused:
    code, words = _error(answer)
    if code == _NOT_FOUND:
        return Refused("NoTask", f"{call.url} knows no task {call.id[:64]} any more")
    if code == _NOT_CANCELABLE:
        return Refused("TaskNotCancelable", f"{call.url} says that its task cannot be cancelled: {words}")
    return Refused("CallRefused", f"{call.url} refused with {code}: {words}; see the Runbook's version and URL")


A2A = A2ATask("GetTask", "ListTasks", "CancelTask", "1.0")
A2A_03 = A2ATask("tasks/get", "", "tasks/cancel", "")
