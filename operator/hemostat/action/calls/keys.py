"""Virtual keys of a LiteLLM proxy: blocked with our mark in one update, so that a look tells whose block it is (pure).

`POST /key/update` writes `blocked` and `metadata` in one row (litellm 1.106.2); `/key/block` would leave no mark. It
replaces the metadata as a whole, so what was read a moment ago is sent back.
https://docs.litellm.ai/docs/proxy/virtual_keys
"""

from collections.abc import Sequence

from hemostat.action.calls.base import Answer, Request, Seen, failed, mapping
from hemostat.api.remediation import Call
from hemostat.errors import Refused

ADMIN_SECRET = "hemostat-litellm"  # noqa: S105 - a name
"""The one Secret of a namespace that `act` may read."""
ADMIN_KEY = "admin-key"
"""The key of it."""
MARK = "hemostat"
"""In the key's metadata: uid of the Remediation that blocked it."""
BLOCKED_BY = "blockedBy"
"""The field that a look yields: empty, the mark, or SOMEBODY."""
SOMEBODY = "somebody else"
_GONE: Seen = {"exists": False, BLOCKED_BY: "", "metadata": {}}


class LiteLLMKey:
    """A virtual key, by its hash."""

    secret = (ADMIN_SECRET, ADMIN_KEY)

    def questions(self, call: Call) -> Sequence[Request]:
        """Ask for the key's row."""
        return (Request("GET", f"{call.url.rstrip('/')}/key/info?key={call.id}"),)

    def seen(self, call: Call, answers: Sequence[Answer]) -> Seen | None:
        """Return `exists`, by whom it is blocked, and the metadata; a deleted key is blocked by nobody."""
        answer = answers[-1]
        error = mapping(mapping(answer.body).get("error"))
        if answer.status in (401, 403):
            raise _not_admin(call)
        if answer.status == 404 and error.get("type") == "not_found_error":
            return dict(_GONE)
        row = mapping(mapping(answer.body).get("info"))
        if answer.status != 200 or not row:
            raise failed(call, answer)
        if row.get("status") == "deleted":
            return dict(_GONE)
        metadata = dict(mapping(row.get("metadata")))
        mark = metadata.get(MARK)
        by = mark if isinstance(mark, str) and mark else SOMEBODY
        return {"exists": True, BLOCKED_BY: by if row.get("blocked") is True else "", "metadata": metadata}

    def obstacle(self, call: Call, wanted: Seen, seen: Seen) -> tuple[str, str] | None:
        """There must be such a key, and nobody else must have blocked it."""
        if not seen["exists"]:
            return "NoKey", f"LiteLLM knows no key {_short(call)}: give its hash, as /key/list shows it"
        if wanted[BLOCKED_BY] and seen[BLOCKED_BY] not in ("", wanted[BLOCKED_BY]):
            return "AlreadyBlocked", f"key {_short(call)} is blocked already, not by this Remediation; it is left alone"
        return None

    def demand(self, call: Call, wanted: Seen, seen: Seen) -> Request:
        """Block it under our mark, or unblock it and take the mark away; all other metadata stays."""
        metadata = {key: value for key, value in seen["metadata"].items() if key != MARK}
        if wanted[BLOCKED_BY]:
            metadata[MARK] = wanted[BLOCKED_BY]
        body = {"key": call.id, "blocked": bool(wanted[BLOCKED_BY]), "metadata": metadata}
        return Request("POST", f"{call.url.rstrip('/')}/key/update", body)

    def judge(self, call: Call, answer: Answer) -> None:
        """Anything but 200 is a refusal."""
        if answer.status in (401, 403):
            raise _not_admin(call)
        if answer.status != 200:
            raise failed(call, answer)


def _not_admin(call: Call) -> Refused:
    return Refused("NoAdminKey", f"{call.url} does not take {ADMIN_KEY} of Secret {ADMIN_SECRET} as an admin's key")


def _short(call: Call) -> str:
    return f"{call.id[:8]}..."
