"""What an application with AI agents imports, so that its deadlocks can be seen and its loops cut.

    from hemostat.guard import acting, install

    guard = install(on_cut=tell_owner, on_park=keep)         # after the tracer and logger providers are set
    with acting("planner", conversation):                    # one turn of an agent
        guard.governor.turn(conversation)                    # raises Halted; says WRAP_UP after a soft limit
        async with guard.call("critic"):                     # raises EdgeCut while the edge is cut
            answer = await critic(question)
        async with guard.wait("lock:orders"):                # visible while it lasts
            await lock.acquire()
        with guard.holding("lock:orders"):                   # told to those who wait
            ...

It needs opentelemetry-sdk and pybreaker and no other part of Hemostat: an import-linter contract and a test keep it so.
Events go through OpenTelemetry's Logs API to the logger provider that the application has set; to send them by OTLP add
opentelemetry-exporter-otlp-proto-http (or -grpc), which the SDK does not bring. Without a call of the operator it only
watches; every order of the operator ends by itself.
"""

from hemostat.guard.actor import Actor, acting, current
from hemostat.guard.budget import Limits, Parked, Standing
from hemostat.guard.configmap import OrderConfigMap
from hemostat.guard.directory import OrderDirectory
from hemostat.guard.governor import Governor
from hemostat.guard.guard import Guard
from hemostat.guard.installing import install
from hemostat.guard.refusal import PROBLEM_HEADERS, PROBLEM_STATUS, EdgeCut, Halted, Refusal, from_problem
from hemostat.guard.spans import GuardSpanProcessor

__all__ = [
    "PROBLEM_HEADERS",
    "PROBLEM_STATUS",
    "Actor",
    "EdgeCut",
    "Governor",
    "Guard",
    "GuardSpanProcessor",
    "Halted",
    "Limits",
    "OrderConfigMap",
    "OrderDirectory",
    "Parked",
    "Refusal",
    "Standing",
    "acting",
    "current",
    "from_problem",
    "install",
]
