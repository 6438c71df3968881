"""One conversation with everything known about it: truth, what the SDK saw, how it is deployed."""

from dataclasses import dataclass, replace

from .conventions import SESSION, TOKENS
from .dice import draw, pick, seed_of, whole
from .oracle import Verdict, judge
from .probe import Span
from .render import Record, render, traces_of
from .run import Run
from .scenarios import FAMILIES
from .setting import MODELS, SESSIONS, Identity, Setting
from .truth import Truth
from .world import World


@dataclass(frozen=True, slots=True)
class Case:
    """A conversation; `records` makes telemetry of it."""

    truth: Truth
    spans: list[Span]
    setting: Setting

    def records(self) -> list[Record]:
        """Return what leaves the pods, in the order of arrival."""
        return render(self.spans, self.setting, self.truth.observed)

    def told_as(self, convention: str) -> "Case":
        """Return the same conversation in another convention (metamorphic tests)."""
        setting = replace(self.setting, convention=convention)
        if convention not in SESSION and setting.identity in SESSIONS:
            setting = replace(setting, identity="links" if setting.identity == "turns" else "trace")
        return finish(self.truth, self.spans, setting)


def finish(truth: Truth, spans: list[Span], setting: Setting) -> Case:
    """Return a case with what the truth has to say about its setting."""
    known = replace(
        truth,
        conversation=setting.session,
        convention=setting.convention,
        content=setting.content,
        guard=setting.guard,
        identity=setting.identity,
        session=setting.session if setting.identity in SESSIONS and setting.convention in SESSION else "",
        traces=traces_of(spans, setting),
    )
    return Case(known, spans, setting)


def deploy(seed: int, identity_seed: int, guarded: float, conventions: tuple[str, ...]) -> Setting:
    """Return how a pair is deployed (`seed`), with ids of one conversation (`identity_seed`)."""
    convention = pick(conventions, seed, 500)
    kept = convention in SESSION
    ways: tuple[Identity, ...] = ("session", "session", "turns", "trace", "links") if kept else ("trace", "links")
    provider, model, _ = pick(MODELS, seed, 502)
    return Setting(
        app=f"app-{whole(1, 40, seed, 503):02d}",
        convention=convention,
        content=convention in TOKENS and draw(seed, 504) < 0.7,
        guard=draw(seed, 505) < guarded,
        identity=pick(ways, seed, 501),
        replicas=whole(1, 4, seed, 506),
        together=draw(seed, 507) < 0.35,
        stamps=draw(seed, 508) < 0.25,
        provider=provider,
        model=model,
        server=f"llm-gw-{whole(100, 900, seed, 509):03d}.example",
        seed=identity_seed,
        session=f"{identity_seed:016x}",
    )


def simulate(family: str, seed: int, *, flipped: bool, start: float, setting: Setting) -> Case:
    """Run one conversation of a family and judge it."""
    plan = FAMILIES[family].build(seed, flipped)
    setting = _roomy(setting, plan.window or plan.room, seed)
    world = World(plan)
    run = Run(world, seed_of(seed, "time"), start, stamps=setting.stamps)
    record = run.perform()
    truth = told(judge(world, record), family, plan.variant, plan.fact)
    truth = replace(truth, began=start, observed=record.end, ended=world.over)
    return finish(truth, run.probe.spans, setting)


def _roomy(setting: Setting, window: int, seed: int) -> Setting:
    if not window:
        return setting
    provider, model, _ = pick([one for one in MODELS if one[2] == window], seed, 510)
    return replace(setting, provider=provider, model=model)


def told(verdict: Verdict, family: str, variant: str, fact: str) -> Truth:
    """Return the verdict of the oracle as a truth."""
    return Truth(
        conversation="",
        family=family,
        variant=variant,
        fact=fact,
        kind=verdict.kind,
        agents=verdict.agents,
        cuts=verdict.cuts,
        started=verdict.started,
        repetitions=verdict.repetitions,
        deadline=verdict.deadline,
        period=verdict.period,
    )


def pair_up(healthy: Case, troubled: Case, pair: str) -> tuple[Case, Case]:
    """Return two cases as a pair, with the moment from which their streams differ."""
    differs = first_difference(healthy, troubled)
    repetitions = troubled.truth.repetitions
    late = len(repetitions) > 2 and troubled.truth.began + differs > repetitions[2]
    blind = differs >= troubled.truth.observed - troubled.truth.began
    one, other = (
        replace(case, truth=replace(case.truth, pair=pair, flips=case.truth.began + differs, late=late, blind=blind))
        for case in (healthy, troubled)
    )
    return one, other


def first_difference(one: Case, other: Case) -> float:
    """Return after how many seconds an onlooker inside the processes could first tell two runs apart.

    What the convention, the content switch and the guard leave out does not count.
    """
    left, right = _visible(one), _visible(other)
    for a, b in zip(left, right, strict=False):
        if a != b:
            return min(a[0], b[0])
    longer = max(left, right, key=len)
    shorter = min(len(left), len(right))
    return longer[shorter][0] if len(longer) > shorter else max(one.truth.observed - one.truth.began, 0.0)


def _visible(case: Case) -> list[tuple[float, str, str, str, str, int]]:
    began, content = case.truth.began, case.setting.content
    tokens = case.setting.convention in TOKENS
    seen: list[tuple[float, str, str, str, str, int]] = []
    for span in case.spans:
        if (span.operation == "wait" and not case.setting.guard) or (span.operation == "chat" and not tokens):
            continue
        asked, answered = (span.asked, span.answered) if content and not case.setting.stamps else ("", "")
        size = span.tokens_in if tokens else 0
        seen.append((round(span.start - began, 4), span.operation, span.agent, span.peer, asked, size))
        if span.end is not None:
            out = span.tokens_out if tokens else 0
            seen.append((round(span.end - began, 4), "", span.peer, span.failure, answered, out))
    return sorted(seen)
