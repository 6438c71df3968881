"""What a cut looks like to the caller: typed, and not to be retried by anybody.

Refusal (RuntimeError)
├── EdgeCut    the operator holds this edge open
└── Halted     this conversation is halted, or has used up its turns or tokens

Why nobody's generic retry takes it: it is a RuntimeError, which LangGraph's `default_retry_on` leaves alone, and no
OSError, ConnectionError, TimeoutError or pybreaker error; `retryable` is False for predicates (tenacity:
`retry_if_exception(lambda e: getattr(e, "retryable", True))`; Temporal: name both classes in
`non_retryable_error_types`). Over HTTP it is 422 with `x-should-retry: false`: the clients of OpenAI and Anthropic obey
that header, and retry 408, 409, 429 and 5xx, so 409 would be wrong. gRPC: FAILED_PRECONDITION.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar

from hemostat.guard.orders import MAX_TIME

PROBLEM_STATUS = 422
PROBLEM_HEADERS = {"content-type": "application/problem+json", "x-should-retry": "false"}
_TYPE = "https://hemostat.dev/problems/"


class Refusal(RuntimeError):
    """A call that the guard did not let through.

    `conversation` is empty where it is not known; `until` is Unix seconds, None while only a person ends it.
    """

    retryable: ClassVar[bool] = False
    problem: ClassVar[str] = ""

    def __init__(self, message: str, *, conversation: str, reason: str, until: float | None) -> None:
        super().__init__(message)
        self.conversation = conversation
        self.reason = reason
        self.until = until

    def as_problem(self) -> dict[str, Any]:
        """Return the body of an HTTP answer (RFC 9457); send it with PROBLEM_STATUS and PROBLEM_HEADERS."""
        return {
            "type": _TYPE + self.problem,
            "title": type(self).__name__,
            "status": PROBLEM_STATUS,
            "detail": str(self),
            "conversation": self.conversation,
            "reason": self.reason,
            "until": self.until,
            "retryable": False,
        }


class EdgeCut(Refusal):
    """The edge `caller` -> `callee` is held open by the operator."""

    problem = "edge-cut"

    def __init__(self, caller: str, callee: str, *, conversation: str, reason: str, until: float | None) -> None:
        edge = f"{caller or 'anybody'} -> {callee}"
        message = f"{edge} is cut{_till(until)}: {reason}. Do not retry; go on with other work."
        super().__init__(message, conversation=conversation, reason=reason, until=until)
        self.caller = caller
        self.callee = callee

    @property
    def edge(self) -> tuple[str, str]:
        """Caller and callee."""
        return self.caller, self.callee

    def as_problem(self) -> dict[str, Any]:
        """Return the body of an HTTP answer (RFC 9457)."""
        return {**super().as_problem(), "caller": self.caller, "callee": self.callee}


class Halted(Refusal):
    """This conversation goes no further for now; its task is parked."""

    problem = "halted"

    def __init__(self, *, conversation: str, reason: str, until: float | None) -> None:
        message = f"conversation {conversation} is halted{_till(until)}: {reason}. Do not retry; its task is parked."
        super().__init__(message, conversation=conversation, reason=reason, until=until)


def _till(until: float | None) -> str:
    if until is None or not 0 <= until < MAX_TIME:  # another process may say anything
        return ""
    return f" until {datetime.fromtimestamp(until, UTC):%Y-%m-%d %H:%M:%SZ}"


def from_problem(body: Mapping[str, Any]) -> Refusal | None:
    """Return the refusal that another process answered with, so that it stays typed along a chain of agents.

    None when the body is another problem, or garbled. The texts are the other process's word: bounded, nothing more.
    """
    texts = {key: body.get(key, "") for key in ("type", "conversation", "reason", "caller", "callee")}
    until = body.get("until")
    if not all(isinstance(text, str) and len(text) <= 1024 for text in texts.values()):
        return None
    if isinstance(until, bool) or not isinstance(until, int | float | None):
        return None
    said = {"conversation": texts["conversation"], "reason": texts["reason"], "until": until}
    if texts["type"] == _TYPE + EdgeCut.problem:
        return EdgeCut(texts["caller"], texts["callee"], **said)
    return Halted(**said) if texts["type"] == _TYPE + Halted.problem else None
