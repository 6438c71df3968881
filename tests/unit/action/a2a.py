"""An A2A agent's tasks in memory, as the SDK 1.3.0 answers over JSON-RPC (tests/api asks the SDK itself)."""

from typing import Any

Json = dict[str, Any]


class Agent:
    """Tasks by id."""

    def __init__(self) -> None:
        self.tasks: dict[str, str] = {"c1": "TASK_STATE_WORKING"}
        self.stubborn = False
        self.cancelled: list[str] = []

    def answer(self, method: str, url: str, body: Json | None, authorization: str) -> tuple[int, Json]:
        assert (method, authorization) == ("POST", "Bearer "), "no key is sent to an agent"
        assert body is not None
        found = self._asked(body["method"], body["params"])
        return 200, {"jsonrpc": "2.0", "id": body["id"]} | found

    def _asked(self, method: str, params: Json) -> Json:
        if method == "ListTasks":
            return {"result": {"tasks": []}}
        name = params["id"]
        if name not in self.tasks:
            return {"error": {"code": -32001, "message": "Task not found"}}
        if method == "CancelTask":
            if self.stubborn or self.tasks[name] != "TASK_STATE_WORKING":
                return {"error": {"code": -32002, "message": "Task cannot be canceled"}}
            self.tasks[name] = "TASK_STATE_CANCELED"
            self.cancelled.append(name)
        return {"result": {"id": name, "status": {"state": self.tasks[name]}}}
