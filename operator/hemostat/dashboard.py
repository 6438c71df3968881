"""The Grafana dashboard of Hemostat itself, generated from the metrics that `metrics` names (pure)."""

from typing import Any

from prometheus_client.metrics import MetricWrapperBase

from hemostat import metrics as m
from hemostat.metrics import name

Json = dict[str, Any]
WIDTH, HEIGHT, COLUMNS = 8, 7, 3


def _rate(metric: MetricWrapperBase, by: str = "") -> str:
    grouped = f" by ({by})" if by else ""
    return f"sum{grouped}(rate({name(metric)}[1m]))"


PANELS: tuple[tuple[str, str, str, str], ...] = (
    (
        "Signals firing",
        f"sum by (target_namespace, watch)({name(m.FIRING)})",
        "short",
        "{{target_namespace}}/{{watch}}",
    ),
    ("Incidents opened", f"sum by (severity)(increase({name(m.INCIDENTS)}[5m]))", "short", "{{severity}}"),
    ("Diagnoses by reason", f"sum by (reason)(increase({name(m.DIAGNOSES)}[5m]))", "short", "{{reason}}"),
    ("Gate decisions", f"sum by (outcome)(increase({name(m.GATE)}[5m]))", "short", "{{outcome}}"),
    (
        "Writes to targets",
        f"sum by (action, effect)(increase({name(m.EFFECTS)}[5m]))",
        "short",
        "{{action}} {{effect}}",
    ),
    (
        "Approvals that people are asked for",
        f"sum by (target_namespace)({name(m.WAITING)})",
        "short",
        "{{target_namespace}}",
    ),
    (
        "The one that has waited longest",
        f"time() - min by (target_namespace)({name(m.WAITING_SINCE)})",
        "s",
        "{{target_namespace}}",
    ),
    ("Remediations finished", f"sum by (action, reason)(increase({name(m.FINISHED)}[5m]))", "short", "{{reason}}"),
    ("Spans taken from OTLP", _rate(m.SPANS), "cps", "spans/s"),
    ("OTLP requests by status", _rate(m.OTLP_REQUESTS, "transport, code"), "reqps", "{{transport}} {{code}}"),
    ("Steps of AI agents by convention", _rate(m.AGENT_STEPS, "source"), "cps", "{{source}}"),
    (
        "Trouble between AI agents",
        f"sum by (kind, advice)(increase({name(m.AGENT_VERDICTS)}[5m]))",
        "short",
        "{{kind}} {{advice}}",
    ),
    ("Not counted as it came", f"sum by (reason)({name(m.OTLP_DROPPED)})", "short", "{{reason}}"),
    ("Looks by outcome", _rate(m.LOOKS, "outcome"), "ops", "{{outcome}}"),
    (
        "Look duration, 95th percentile",
        f"histogram_quantile(0.95, sum by (le)(rate({name(m.LOOK_SECONDS)}_bucket[5m])))",
        "s",
        "p95",
    ),
    (
        "Looks begin late by, 95th percentile",
        f"histogram_quantile(0.95, sum by (le)(rate({name(m.LOOK_LATE_SECONDS)}_bucket[5m])))",
        "s",
        "p95",
    ),
    ("Prometheus queries by outcome", _rate(m.QUERIES, "outcome"), "reqps", "{{outcome}}"),
    (
        "Prometheus queries, 95th percentile",
        f"histogram_quantile(0.95, sum by (le)(rate({name(m.QUERY_SECONDS)}_bucket[5m])))",
        "s",
        "took",
    ),
    (
        "Prometheus queries asked late by, 95th percentile",
        f"histogram_quantile(0.95, sum by (le)(rate({name(m.QUERY_LATE_SECONDS)}_bucket[5m])))",
        "s",
        "late",
    ),
    ("US dollars an hour that AI agents spend", f"3600 * {_rate(m.AGENT_COST)}", "currencyUSD", "at list prices"),
    (
        "Verdicts on agents that people called legitimate",
        f"sum by (kind)(increase({name(m.AGENT_LEGITIMATE)}[1d]))",
        "short",
        "{{kind}}",
    ),
    (
        "Requests to models for diagnosis",
        _rate(m.MODEL_REQUESTS, "provider, outcome"),
        "reqps",
        "{{provider}} {{outcome}}",
    ),
    ("Models left alone", f"max by (model)({name(m.MODEL_BREAKER_OPEN)})", "short", "{{model}}"),
    (
        "Requests to models, 95th percentile",
        f"histogram_quantile(0.95, sum by (le, provider)(rate({name(m.MODEL_SECONDS)}_bucket[5m])))",
        "s",
        "{{provider}}",
    ),
    ("Tokens of diagnosis", _rate(m.MODEL_TOKENS, "model, kind"), "cps", "{{model}} {{kind}}"),
    ("US dollars an hour that diagnosis spends", f"3600 * {_rate(m.MODEL_COST, 'model')}", "currencyUSD", "{{model}}"),
    ("Statements of models that are dropped", _rate(m.MODEL_DROPPED, "reason"), "cps", "{{reason}}"),
    ("Connected, so that clicks are heard", f"min by (to)({name(m.CONNECTED)})", "short", "{{to}}"),
    ("Steps put off", _rate(m.RETRIES, "queue"), "ops", "{{queue}}"),
)


def dashboard() -> Json:
    """Return the dashboard in Grafana's JSON model (schema 39)."""
    return {
        "uid": "hemostat",
        "title": "Hemostat",
        "tags": ["hemostat"],
        "schemaVersion": 39,
        "editable": True,
        "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {
            "list": [{"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"}]
        },
        "panels": [_panel(i, *panel) for i, panel in enumerate(PANELS)],
    }


def _panel(index: int, title: str, expression: str, unit: str, legend: str) -> Json:
    source = {"type": "prometheus", "uid": "${datasource}"}
    return {
        "id": index + 1,
        "type": "timeseries",
        "title": title,
        "datasource": source,
        "gridPos": {
            "x": WIDTH * (index % COLUMNS),
            "y": HEIGHT * (index // COLUMNS),
            "w": WIDTH,
            "h": HEIGHT,
        },
        "fieldConfig": {"defaults": {"unit": unit, "min": 0}, "overrides": []},
        "options": {"legend": {"displayMode": "list", "placement": "bottom"}},
        "targets": [{"refId": "A", "datasource": source, "expr": expression, "legendFormat": legend}],
    }
