"""Everyday names, the same for troubled and healthy conversations."""

from ..dice import draw, pick

AGENTS = (
    "planner",
    "researcher",
    "critic",
    "writer",
    "coder",
    "reviewer",
    "analyst",
    "librarian",
    "triage",
    "billing",
    "shipping",
    "auditor",
    "translator",
    "scheduler",
    "tester",
    "supervisor",
    "editor",
    "buyer",
)
CHORES = (
    "web_search",
    "read_file",
    "query_orders",
    "get_weather",
    "list_tickets",
    "fetch_page",
    "lookup_customer",
    "run_sql",
    "read_calendar",
)
TOPICS = (
    "solar storage",
    "tax rules for exports",
    "battery recycling",
    "sepsis screening",
    "port congestion",
    "grid codes",
    "cold chains",
    "rail freight",
    "seed patents",
)
LOCKS = ("ledger", "inventory", "calendar", "workspace", "report", "mailbox")
SIDE = ("get_time", "save_note")


def agents(count: int, seed: int) -> tuple[str, ...]:
    """Return different names of agents."""
    return tuple(sorted(AGENTS, key=lambda name: draw(seed, 900 + AGENTS.index(name)))[:count])


def locks(count: int, seed: int) -> tuple[str, ...]:
    """Return different names of locks."""
    return tuple(sorted(LOCKS, key=lambda name: draw(seed, 930 + LOCKS.index(name)))[:count])


def topic(seed: int) -> str:
    """Return what a conversation is about."""
    return pick(TOPICS, seed, 950)
