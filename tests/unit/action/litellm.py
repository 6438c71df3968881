"""The key endpoints of a LiteLLM proxy in memory, as litellm 1.106.2 answers.

`management_endpoints/key_management_endpoints.py`: `info_key_fn`, `update_key_fn` and what they raise.
"""

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

ADMIN = "sk-admin-of-all"
HASH = "ab" * 32
Json = dict[str, Any]


def error(status: int, kind: str) -> tuple[int, Json]:
    return status, {"error": {"message": f"told of {ADMIN}", "type": kind, "param": "key", "code": str(status)}}


class LiteLLM:
    """Rows by the key's hash."""

    def __init__(self) -> None:
        self.rows: dict[str, Json] = {HASH: {"blocked": None, "metadata": {"team": "core"}, "key_alias": "planner"}}
        self.changes: list[tuple[bool, str | None]] = []
        """(blocked, mark) after each update that turned `blocked` over."""

    def answer(self, method: str, url: str, body: Json | None, authorization: str) -> tuple[int, Json]:
        where = urlsplit(url)
        if authorization != f"Bearer {ADMIN}":
            return error(401, "auth_error")
        if (method, where.path) == ("GET", "/key/info"):
            return self._info(parse_qs(where.query)["key"][0])
        if (method, where.path) == ("POST", "/key/update"):
            return self._update(body or {})
        return 404, {"detail": "Not Found"}

    def _info(self, key: str) -> tuple[int, Json]:
        if key not in self.rows:
            return error(404, "not_found_error")
        row = json.loads(json.dumps(self.rows[key]))
        return 200, {"key": key, "info": {"status": "revoked" if row["blocked"] else "active"} | row}

    def _update(self, body: Json) -> tuple[int, Json]:
        """What is not given stays; the metadata, where it is given, is replaced as a whole."""
        if body["key"] not in self.rows:
            return error(404, "not_found_error")
        row, given = self.rows[body["key"]], json.loads(json.dumps(body))
        if bool(row["blocked"]) != given["blocked"]:
            self.changes.append((given["blocked"], given["metadata"].get("hemostat")))
        row.update({key: value for key, value in given.items() if key != "key"})
        return 200, given | row
