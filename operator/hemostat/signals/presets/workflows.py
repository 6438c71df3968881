"""Argo Workflows and Temporal: workflows that fail, and work that nobody takes up (pure)."""

from collections.abc import Iterator

from hemostat.api.watch import SignalKind, WorkflowSignal, WorkflowSystem
from hemostat.signals.presets.target import preset
from hemostat.signals.rules import Rule, quoted

_Preset = tuple[str, str, str, float, str]
"""Aspect, query, subject, bound, unit."""


def workflow(name: str, signal: WorkflowSignal) -> Iterator[Rule]:
    """Yield the rules of a workflow engine."""
    makers = {WorkflowSystem.ARGO: _argo, WorkflowSystem.TEMPORAL: _temporal}
    for aspect, query, subject, above, unit in makers[signal.system](signal):
        long_enough = 30.0 if aspect == "Failed" or signal.system is WorkflowSystem.TEMPORAL else 0.0
        yield preset(
            name, aspect, SignalKind.WORKFLOW, query, subject, above=above, unit=unit, expected=aspect == "Failed",
            for_seconds=long_enough,
        )  # fmt: skip


def _share(bad: str, all_: str) -> str:
    return f"100 * (({bad}) or ({all_}) * 0) / (({all_}) > 0)"


def _argo(signal: WorkflowSignal) -> Iterator[_Preset]:
    """Phases are counted as workflows enter them (3.6 and later); before that there is only how many are in one."""
    failed, ended = 'phase=~"Failed|Error"', 'phase=~"Failed|Error|Succeeded"'
    if signal.name:
        own = f"name={quoted(signal.name)},"
        counter, waiting = "argo_workflows_workflowtemplate_triggered_total", ""
    else:
        own, counter = "", "argo_workflows_total_count"
        waiting = 'sum(argo_workflows_gauge{phase="Pending"}) or sum(argo_workflows_count{status="Pending"})'

    def entered(phase: str) -> str:
        return f"sum(increase({counter}{{{own}{phase}}}[10m]))"

    share = _share(entered(failed), entered(ended))
    yield "Failed", share, "workflows that fail", float(signal.failed_percent_above), "%"
    if waiting:
        still = f"min_over_time(({waiting})[{signal.stuck_after_seconds}s:15s])"
        moving = f'sum(increase(argo_workflows_total_count{{phase="Running"}}[{signal.stuck_after_seconds}s]))'
        stuck = f"({still}) * (({moving} or vector(0)) == bool 0)"
        yield "Stuck", stuck, "workflows that wait while none begins", 0.0, ""


def _temporal(signal: WorkflowSignal) -> Iterator[_Preset]:
    """Counters come from SDKs, with or without `_total`; ages of the task queues from the server."""
    names = (f"workflow_type={quoted(signal.name)}", f"task_queue={quoted(signal.name)}") if signal.name else ("",)

    def ended(word: str) -> str:
        return " or ".join(
            f"sum(increase(temporal_workflow_{word}{suffix}{{{own}}}[10m]))"
            for own in names
            for suffix in ("_total", "")
        )

    bad, good = f"({ended('failed')})", f"({ended('completed')})"
    all_ = f"({bad} or vector(0)) + ({good} or vector(0))"
    yield "Failed", _share(bad, all_), "workflows that fail", float(signal.failed_percent_above), "%"
    queues = f"{{taskqueue={quoted(signal.name)}}}" if signal.name else ""
    age = f"max by (taskqueue, task_type) (approximate_backlog_age_seconds{queues})"
    yield "Stuck", age, "age of the oldest $task_type task of queue $taskqueue", float(signal.stuck_after_seconds), "s"
