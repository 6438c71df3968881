"""Every signal of a Watch in one line each, defaults included (pure)."""

from collections.abc import Iterator, Sequence

from hemostat.api.incident import SignalSource, SignalState, SignalStatus
from hemostat.api.watch import SignalStanding, SignalSummary, Watch, effective_signals
from hemostat.signals.evaluate import Inputs, Look
from hemostat.signals.presets import missing
from hemostat.signals.rules import one_line
from hemostat.signals.sentence import sentence
from hemostat.signals.workload import idle

MAX_LISTED = 64
_ORDER = (SignalStanding.FIRING, SignalStanding.PENDING, SignalStanding.NO_DATA, SignalStanding.CLEAR)


def summaries(watch: Watch, inputs: Inputs, seen: Look) -> tuple[SignalSummary, ...]:
    """Return one line per signal and aspect, those that fire first, and one per signal that has nothing to judge."""
    groups: dict[str, list[SignalStatus]] = {}
    for status in seen.signals:
        groups.setdefault(group_of(status), []).append(status)
    nothing_runs = (idle(inputs.scene.target or {}) or ("", ""))[1]
    lines = [_line(name, statuses, seen, nothing_runs) for name, statuses in groups.items()]
    lines += _silent(watch, inputs, {status.name for status in seen.signals})
    lines = [_bad(line, inputs) for line in lines]
    lines.sort(key=lambda line: (_ORDER.index(line.state), line.name))
    return tuple(lines[:MAX_LISTED])


def group_of(status: SignalStatus) -> str:
    """Return which line a signal belongs to: aspects of a workload share one, series and edges theirs."""
    if status.source in (SignalSource.WORKLOAD, SignalSource.ALERTMANAGER):
        return status.name[:128]
    aspect = status.key.split("{", 1)[0].split("/")[1:2]
    shown = [status.name, *(a for a in aspect if a not in ("metric", "slo"))]
    return one_line("/".join(shown), 128)


def _line(name: str, statuses: Sequence[SignalStatus], seen: Look, nothing_runs: str) -> SignalSummary:
    standing = [(_standing(s, seen), s) for s in statuses]
    state, worst = min(standing, key=lambda pair: _ORDER.index(pair[0]))
    if all(found is SignalStanding.NO_DATA for found, _ in standing) or state is not SignalStanding.NO_DATA:
        shown = worst
    else:  # some are silent, as callers that stopped calling; the others say how the signal stands
        state, shown = next((pair for pair in standing if pair[0] is not SignalStanding.NO_DATA), standing[0])
    prometheus = shown.source is SignalSource.PROMETHEUS
    subjects = max(s.samples for s in statuses) if prometheus else len({s.subject for s in statuses})
    return SignalSummary(name=name, state=state, subjects=subjects, message=_message(shown, nothing_runs))


def _bad(line: SignalSummary, inputs: Inputs) -> SignalSummary:
    """Say of a signal without data that its query is wrong, where it is."""
    why = inputs.bad_queries.get(line.name.partition("/")[0])
    if why is None or line.state is not SignalStanding.NO_DATA:
        return line
    return line.model_copy(update={"message": one_line(f"bad query: {why}", 256)})


def _standing(status: SignalStatus, seen: Look) -> SignalStanding:
    if status.state is SignalState.FIRING:
        return SignalStanding.FIRING
    if status.state is SignalState.NO_DATA or status.samples == 0:
        return SignalStanding.NO_DATA
    tracked = seen.state.signals.get(status.key)
    pending = tracked is not None and tracked[0].wrong_since is not None
    return SignalStanding.PENDING if pending else SignalStanding.CLEAR


def _message(status: SignalStatus, nothing_runs: str) -> str:
    if status.source is SignalSource.WORKLOAD and not status.message:
        return nothing_runs or "no trouble"
    known = status.message or status.samples
    return one_line(sentence(status) if known else "no data", 256)


def _silent(watch: Watch, inputs: Inputs, judged: set[str]) -> Iterator[SignalSummary]:
    """Yield the signals that nothing was judged for, and the presets that nobody exports metrics for."""
    answered = {rule.key for rule in inputs.rules if (vector := inputs.vectors.get(rule.query)) and vector.series}
    for signal in effective_signals(watch.spec):
        own = [r for r in inputs.rules if r.name == signal.name and not r.expected]
        lacking = [key.removeprefix(f"{signal.name}/") for key in missing(own, answered)]
        if signal.name in judged and not lacking:
            continue
        message = f"no series for {', '.join(lacking)}" if lacking else _why(watch, inputs, signal.name)
        known = signal.name in judged
        state = SignalStanding.CLEAR if signal.alert is not None else SignalStanding.NO_DATA
        yield SignalSummary(name=f"{signal.name}/(others)" if known else signal.name, state=state,
                            message=one_line(message, 256))  # fmt: skip


def _why(watch: Watch, inputs: Inputs, name: str) -> str:
    signal = next(s for s in effective_signals(watch.spec) if s.name == name)
    service = watch.spec.service or watch.spec.target.name
    refused = f"; {inputs.refused}" if inputs.refused else ""
    if signal.trace is not None:
        return f"no calls of {service} in traces{refused}"
    if signal.agent is not None:
        return f"no GenAI spans of {service}{refused}"
    if signal.conversation is not None:
        return f"no steps of agents of {service}{refused}"
    return "no alert names the target" if signal.alert is not None else "no data"
