"""One agent and its tools: listings, edits, jobs, outages, repairs, research."""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

from ..dice import draw, pick, whole
from ..plan import Plan
from ..policy import Action, CallTool, Errand, Finish, Plain, Policy, Rest, Seen, fields
from ..tools import Corpus, Files, Job, Overloaded, Pages, Workshop
from .family import Family, busy, everyday, passes
from .habits import Idle, Noisy
from .names import agents, topic


@dataclass(frozen=True)
class Reader(Plain):
    """Follows cursors to the end of a listing."""

    tool: str

    def decide(self, memory: Any, seen: Seen) -> tuple[Any, Action]:
        """Ask for the page the last answer named."""
        cursor = fields(seen.text).get("next", "0") if seen.what == "result" else "0"
        if cursor == "end":
            return memory, Finish("listing=complete")
        return memory, CallTool(self.tool, f"cursor={cursor};limit=20")


@dataclass(frozen=True)
class Editor(Plain):
    """Makes `edits` edits, one by one; from `forgets` on it no longer knows which it has made."""

    tool: str
    edits: int
    forgets: int | None

    def begin(self, task: str, notes: Hashable) -> Any:
        """Nothing edited."""
        return 0

    def decide(self, memory: Any, seen: Seen) -> tuple[Any, Action]:
        """The next edit on its list."""
        made = memory + 1 if seen.what == "result" and memory != self.forgets else memory
        if made > self.edits:
            return made, Finish("edited=all")
        return made, CallTool(self.tool, f"path=src/module_{made}.py;replace=v1;by=v2")


@dataclass(frozen=True)
class Poller(Plain):
    """Submits a job and asks for its state until it is done, resting `patience` seconds in between."""

    submit: str
    ask: str
    patience: float

    def begin(self, task: str, notes: Hashable) -> Any:
        """Not submitted."""
        return "new"

    def decide(self, memory: Any, seen: Seen) -> tuple[Any, Action]:
        """Submit, rest, ask."""
        if memory == "new":
            return "submitted", CallTool(self.submit, "report=quarterly;format=pdf")
        if fields(seen.text).get("status") == "done":
            return memory, Finish("job=done")
        if self.patience and seen.what != "rested":
            return memory, Rest(self.patience)
        return memory, CallTool(self.ask, "job=7")


@dataclass(frozen=True)
class Caller(Plain):
    """Calls a service until it answers; waits twice as long after each failure, or not at all."""

    tool: str
    backs_off: bool

    def begin(self, task: str, notes: Hashable) -> Any:
        """No failure yet."""
        return 0

    def decide(self, memory: Any, seen: Seen) -> tuple[Any, Action]:
        """Call, rest, call again."""
        if seen.what == "result" and not seen.failure:
            return memory, Finish("answer=42")
        if seen.failure and self.backs_off:
            return memory + 1, Rest(float(2**memory))
        return memory, CallTool(self.tool, "account=4711;fields=balance")


@dataclass(frozen=True)
class Repairer(Plain):
    """Goes through its steps (edit first, test last) for the test that fails, until none does."""

    steps: tuple[str, ...]

    def begin(self, task: str, notes: Hashable) -> Any:
        """At the first step, told which test fails."""
        return (0, fields(task)["failed"])

    def decide(self, memory: Any, seen: Seen) -> tuple[Any, Action]:
        """The next step; what it does depends on the test that failed last."""
        step, target = memory
        target = fields(seen.text).get("failed", target) if seen.what == "result" else target
        if "passed" in fields(seen.text):
            return memory, Finish("tests=green")
        return ((step + 1) % len(self.steps), target), CallTool(self.steps[step], f"target={target};step={step}")


@dataclass(frozen=True)
class Researcher(Plain):
    """Searches in other words each time until it has `enough` documents."""

    tool: str
    topic: str
    enough: int

    def begin(self, task: str, notes: Hashable) -> Any:
        """Nothing found."""
        return 0

    def decide(self, memory: Any, seen: Seen) -> tuple[Any, Action]:
        """Search again unless there is enough."""
        found = memory + (fields(seen.text).get("hits") == "1")
        if found >= self.enough:
            return found, Finish("summary=written")
        return found, CallTool(self.tool, f"topic={self.topic}", reworded=True)


def _one(policy: Policy, seed: int) -> tuple[dict[str, Policy], Errand]:
    name = agents(1, seed)[0]
    return {name: busy(policy, seed)}, Errand(name, f"topic={topic(seed)}")


def pagination(seed: int, flipped: bool) -> Plan:
    """The server returns the cursor it was given, or the next one."""
    pages = whole(6, 14, seed, 1)
    tool = pick(("list_orders", "list_commits", "list_messages"), seed, 2)
    sticks = whole(2, 5, seed, 3) if flipped else None
    policies, root = _one(Reader(tool), seed)
    return Plan(
        policies,
        everyday(**{tool: Pages(pages, sticks)}),
        root,
        f"cursor sticks at {sticks}",
        passes=passes(seed, 16, 24),
    )


def batch(seed: int, flipped: bool) -> Plan:
    """The agent forgets which edits it made, or remembers; the tool says ok either way."""
    forgets = whole(1, 4, seed, 3) if flipped else None
    policies, root = _one(Editor("str_replace", whole(6, 14, seed, 1), forgets), seed)
    tools = everyday(str_replace=Files())
    return Plan(policies, tools, root, f"forgets from edit {forgets}", passes=passes(seed, 16, 24))


def _polling(seed: int, fact: str, patience: float, job: Job, watched: int) -> Plan:
    kind = pick(("export", "build", "scan"), seed, 2)
    policies, root = _one(Poller(f"submit_{kind}", f"get_{kind}_status", patience), seed)
    tools = everyday(**{f"submit_{kind}": job, f"get_{kind}_status": job})
    return Plan(policies, tools, root, fact, passes=watched)


def polling_starved(seed: int, flipped: bool) -> Plan:
    """Asking at once, again and again, keeps the worker from working; with a sane cadence the job gets done."""
    patience = 0.0 if flipped else pick((15.0, 30.0, 60.0), seed, 1)
    job = Job(whole(3, 8, seed, 4), 15.0, 15.0, 0, shows_percent=False)
    return _polling(seed, f"rests {patience:g} s", patience, job, passes(seed, 8, 16))


def polling_dead(seed: int, flipped: bool) -> Plan:
    """The worker died, or works; the cadence is sane and the status unchanged either way until the end."""
    patience, units = pick((10.0, 20.0, 30.0), seed, 1), whole(3, 7, seed, 4)
    job = Job(units, patience, patience, 2 if flipped else 0, shows_percent=False)
    return _polling(seed, f"worker {'died' if flipped else 'works'}", patience, job, 6 * units)


def polling_changing(seed: int, flipped: bool) -> Plan:
    """The worker dies with some work left, or not; the status shows the percentage."""
    units = whole(8, 16, seed, 4)
    dead_at = whole(3, units - 2, seed, 5) if flipped else 0
    patience = pick((2.0, 4.0, 8.0), seed, 1)
    job = Job(units, patience, patience, dead_at, shows_percent=True)
    return _polling(seed, f"worker {'died' if flipped else 'works'}", patience, job, passes(seed, 18, 26))


def outage(seed: int, flipped: bool) -> Plan:
    """A service in overload recovers only when left alone: the agent retries at once, or backs off."""
    tool = pick(("get_balance", "get_inventory", "get_quote"), seed, 2)
    policies, root = _one(Caller(tool, backs_off=not flipped), seed)
    tools = everyday(**{tool: Overloaded(pick((4.0, 8.0, 16.0), seed, 1))})
    return Plan(policies, tools, root, "retries at once" if flipped else "backs off", passes=passes(seed, 8, 16))


READING = ("read_file", "grep", "list_dir", "git_diff", "read_log", "open_doc", "symbol_info", "blame")


def _repair(seed: int, period: int, every: int, *, take: bool) -> Plan:
    steps = ("fix_and_test",) if period == 1 else ("edit_file", *READING[: period - 2], "run_tests")
    shop = Workshop(whole(3, 5, seed, 1), take, steps[0], steps[-1])
    policy: Policy = Repairer(steps)
    if every:
        policy = Noisy(policy, every, seed)
    name = agents(1, seed)[0]
    tools = everyday(**dict.fromkeys(steps, shop))
    root = Errand(name, f"failed=test_{shop.bugs}")
    variant = f"period {period}" + (" noise" if every else "")
    watched = 10 if period < 4 else 8
    fact = "edits take" if take else "edits do not take"
    return Plan({name: busy(policy, seed)}, tools, root, fact, variant, passes=watched)


def repair(seed: int, flipped: bool) -> Plan:
    """Edits change the file that is tested, or one that is overwritten; periods 1 to 10."""
    return _repair(seed, whole(1, 10, seed, 5), 0, take=not flipped)


def repair_noise(seed: int, flipped: bool) -> Plan:
    """The same with a call that has nothing to do with it every few steps."""
    return _repair(seed, whole(1, 6, seed, 5), whole(3, 7, seed, 6), take=not flipped)


def research(seed: int, flipped: bool) -> Plan:
    """The corpus holds enough documents, or fewer than the agent wants; every query is worded anew."""
    enough = whole(4, 9, seed, 1)
    held = whole(0, enough - 2, seed, 2) if flipped else enough
    tool = pick(("search_papers", "search_wiki", "vector_search"), seed, 3)
    policies, root = _one(Researcher(tool, topic(seed), enough), seed)
    return Plan(policies, everyday(**{tool: Corpus(held)}), root, f"corpus holds {held}", passes=passes(seed, 12, 18))


def errands(seed: int, flipped: bool) -> Plan:
    """Everyday work of no particular shape; there is nothing to flip."""
    name = agents(1, seed)[0]
    policy = busy(Noisy(Idle(), 2, seed) if draw(seed, 4) < 0.3 else Idle(), seed, 14)
    return Plan({name: policy}, everyday(), Errand(name, f"topic={topic(seed)}"), "nothing to flip")


FAMILIES = (
    Family("pagination", pagination),
    Family("batch", batch),
    Family("polling_starved", polling_starved),
    Family("polling_dead", polling_dead),
    Family("polling_changing", polling_changing),
    Family("outage", outage),
    Family("repair", repair),
    Family("repair_noise", repair_noise),
    Family("research", research),
    Family("errands", errands),
)
