"""Settings of both processes, from environment variables. Each has a default that works on a laptop."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

from hemostat.errors import Broken

MAX_MODELS = 8


@dataclass(frozen=True)
class Settings:
    """What may be set from outside."""

    prometheus_url: str = "http://prometheus.monitoring:9090"
    """HEMOSTAT_PROMETHEUS_URL: any Prometheus-compatible API."""
    prometheus_timeout_seconds: float = 3.0
    """HEMOSTAT_PROMETHEUS_TIMEOUT_SECONDS: deadline of one query."""
    http_port: int = 8080
    """HEMOSTAT_HTTP_PORT: /healthz, /readyz and /metrics; at `observe` /alertmanager, streams and /mcp too."""
    otlp_port: int = 4318
    """HEMOSTAT_OTLP_PORT: OTLP/HTTP."""
    otlp_grpc_port: int = 4317
    """HEMOSTAT_OTLP_GRPC_PORT: OTLP/gRPC."""
    otlp_max_bytes: int = 4 * 1024 * 1024
    """HEMOSTAT_OTLP_MAX_BYTES: largest request, after decompression. gRPC's own default, so senders know it."""
    agent_conversations: int = 50_000
    """HEMOSTAT_AGENT_CONVERSATIONS: conversations of AI agents that are followed at once, at about 2.5 KB each; beyond
    it the one that was silent for longest gives way."""
    agent_turns: int = 50
    """HEMOSTAT_AGENT_TURNS: turns of agents that a conversation may take before TurnBudget is told."""
    agent_hold_seconds: float = 6.0
    """HEMOSTAT_AGENT_HOLD_SECONDS: how long ended steps of agents wait at most for those of other pods that ended
    before: a second more than the slowest exporter needs (OTEL_BSP_SCHEDULE_DELAY, 5 s unless set)."""
    workers: int = 4
    """HEMOSTAT_WORKERS: how many Watches are looked at, at once."""
    actions: tuple[str, ...] | None = None
    """HEMOSTAT_ACTIONS: comma-separated allow-list of action names; unset allows every installed one."""
    prometheus_headers: tuple[tuple[str, str], ...] = ()
    """HEMOSTAT_PROMETHEUS_HEADERS: sent with every query, for example "X-Scope-OrgID: team-a; X-Other: b"."""
    prometheus_token_file: str | None = None
    """HEMOSTAT_PROMETHEUS_TOKEN_FILE: path of a bearer token; read anew for every query, for it may rotate."""
    alertmanager_token_file: str | None = None
    """HEMOSTAT_ALERTMANAGER_TOKEN_FILE: path of the bearer token that POST /alertmanager asks for; unset asks none."""
    token_audiences: tuple[str, ...] = ()
    """HEMOSTAT_TOKEN_AUDIENCES: comma-separated; whom the tokens of who reads streams and /mcp must be meant for
    (`kubectl create token --audience`), so that they are of no use elsewhere; unset: the API server."""
    alertmanager_stale_seconds: float = 15300.0
    """HEMOSTAT_ALERTMANAGER_STALE_SECONDS: how long an alert that is not repeated is believed; longer than the
    route's `repeat_interval` (4 h by default)."""

    prices_file: str | None = None
    """HEMOSTAT_PRICES_FILE: what models cost and take in, over litellm's own table and in its format."""
    models: tuple[str, ...] = ()
    """HEMOSTAT_MODELS: comma-separated names of models that diagnose, as litellm writes them (PROVIDER/MODEL), the best
    first; unset asks none. Keys and addresses are in the variables that litellm reads, for example OPENAI_API_KEY."""

    audit: str = "hemostat-audit.db"
    """HEMOSTAT_AUDIT: the log of what `act` does: the path of an SQLite file, or postgresql://USER@HOST/NAME."""
    audit_key: str = ""
    """HEMOSTAT_AUDIT_KEY: path of the key that signs it, an Ed25519 key as PEM; beside it as `previous.pem` the one
    before it, from which it takes over. Unset, or no such file: a key of its own, beside a log that is a file."""
    keep_days: int = 14
    """HEMOSTAT_KEEP_DAYS: for so long `act` keeps every finished Remediation; at least 7, the longest window that a
    GatePolicy may have."""
    keep_remediations: int = 100
    """HEMOSTAT_KEEP_REMEDIATIONS: so many of them, the newest of each namespace, are kept for longer."""
    replica: str = ""
    """HEMOSTAT_REPLICA: which replica of `act` this is: a name that no other has, for example its pod's. They have one
    of them act, by Lease hemostat-act; unset: there is no other, and it acts at once."""
    shared_services: tuple[str, ...] = ()
    """HEMOSTAT_SHARED_SERVICES: names of services in traces that Watches of any namespace may name, or `*`: others are
    of the namespace that has a workload of that name, or that their host name tells."""
    memory: str = ""
    """HEMOSTAT_MEMORY: where past incidents are remembered: the path of an SQLite file, or postgresql://USER@HOST/NAME;
    unset remembers none."""
    diagnosis_seconds: float = 60.0
    """HEMOSTAT_DIAGNOSIS_SECONDS: how long models may take over one diagnosis; then the matcher's answer stands."""
    diagnosis_turns: int = 16
    """HEMOSTAT_DIAGNOSIS_TURNS: how often models may be asked about one Incident."""
    diagnosis_tokens: int = 60_000
    """HEMOSTAT_DIAGNOSIS_TOKENS: how many tokens that may use, in and out."""
    diagnosis_usd: float = 0.5
    """HEMOSTAT_DIAGNOSIS_USD: what that may cost; a model whose price is not known counts as a dear one."""

    diagnosis_day_tokens: int = 1_500_000
    """HEMOSTAT_DIAGNOSIS_DAY_TOKENS: how many tokens all Incidents of one namespace may use on one day (UTC)."""
    diagnosis_day_usd: float = 10.0
    """HEMOSTAT_DIAGNOSIS_DAY_USD: what that may cost."""

    slack_bot_token_file: str = ""
    """HEMOSTAT_SLACK_BOT_TOKEN_FILE: path of the bot token (xoxb-), read anew for every call."""
    slack_app_token_file: str = ""
    """HEMOSTAT_SLACK_APP_TOKEN_FILE: path of the app-level token (xapp-), read anew for every connection."""
    slack_channels: tuple[tuple[str, str], ...] = ()
    """HEMOSTAT_SLACK_CHANNELS: the id of the channel where Incidents are told, or one for each namespace:
    "shop=C012AB3CD,*=C034EF5GH"; without `*` those of other namespaces are not told."""
    slack_people: str = "/etc/hemostat/people"
    """HEMOSTAT_SLACK_PEOPLE: directory with who is who: ConfigMap hemostat-people, mounted."""
    slack_remind_seconds: float = 900.0
    """HEMOSTAT_SLACK_REMIND_SECONDS: after how long people are reminded that somebody has to decide, then each time
    twice as late; 0: never."""
    slack_api_url: str = "https://slack.com/api/"
    """HEMOSTAT_SLACK_API_URL: where Slack's Web API is."""
    diagnosis_rounds: int = 5
    """HEMOSTAT_DIAGNOSIS_ROUNDS: how many diagnoses of one Incident may end in an action that is denied, does not help
    or makes it worse; then a person decides."""

    @classmethod
    def read(cls, environment: Mapping[str, str] | None = None) -> "Settings":
        """Read the environment. Raises `Broken` naming the variable that cannot be understood."""
        env = os.environ if environment is None else environment
        names = env.get("HEMOSTAT_ACTIONS")
        found = cls(
            prometheus_url=env.get("HEMOSTAT_PROMETHEUS_URL", cls.prometheus_url),
            prometheus_timeout_seconds=_number(env, "HEMOSTAT_PROMETHEUS_TIMEOUT_SECONDS", 3.0, 0.1, 60),
            prometheus_headers=_headers(env, "HEMOSTAT_PROMETHEUS_HEADERS"),
            prometheus_token_file=env.get("HEMOSTAT_PROMETHEUS_TOKEN_FILE") or None,
            alertmanager_token_file=env.get("HEMOSTAT_ALERTMANAGER_TOKEN_FILE") or None,
            alertmanager_stale_seconds=_number(env, "HEMOSTAT_ALERTMANAGER_STALE_SECONDS", 15300, 60, 2_592_000),
            prices_file=env.get("HEMOSTAT_PRICES_FILE") or None,
            shared_services=tuple(_names(env, "HEMOSTAT_SHARED_SERVICES")),
            token_audiences=tuple(_names(env, "HEMOSTAT_TOKEN_AUDIENCES")),
            models=_models(env),
            http_port=int(_number(env, "HEMOSTAT_HTTP_PORT", 8080, 1, 65535)),
            otlp_port=int(_number(env, "HEMOSTAT_OTLP_PORT", 4318, 1, 65535)),
            otlp_grpc_port=int(_number(env, "HEMOSTAT_OTLP_GRPC_PORT", 4317, 1, 65535)),
            otlp_max_bytes=int(_number(env, "HEMOSTAT_OTLP_MAX_BYTES", cls.otlp_max_bytes, 1024, 1 << 26)),
            agent_conversations=int(_number(env, "HEMOSTAT_AGENT_CONVERSATIONS", 50_000, 100, 2_000_000)),
            agent_hold_seconds=_number(env, "HEMOSTAT_AGENT_HOLD_SECONDS", cls.agent_hold_seconds, 1, 60),
            agent_turns=int(_number(env, "HEMOSTAT_AGENT_TURNS", 50, 2, 100_000)),
            audit=env.get("HEMOSTAT_AUDIT") or cls.audit,
            audit_key=env.get("HEMOSTAT_AUDIT_KEY", ""),
            keep_days=int(_number(env, "HEMOSTAT_KEEP_DAYS", cls.keep_days, 7, 3650)),
            keep_remediations=int(_number(env, "HEMOSTAT_KEEP_REMEDIATIONS", cls.keep_remediations, 0, 10_000)),
            replica=env.get("HEMOSTAT_REPLICA", ""),
            memory=env.get("HEMOSTAT_MEMORY", ""),
            diagnosis_seconds=_number(env, "HEMOSTAT_DIAGNOSIS_SECONDS", cls.diagnosis_seconds, 1, 600),
            diagnosis_turns=int(_number(env, "HEMOSTAT_DIAGNOSIS_TURNS", cls.diagnosis_turns, 1, 1000)),
            diagnosis_tokens=int(_number(env, "HEMOSTAT_DIAGNOSIS_TOKENS", cls.diagnosis_tokens, 1000, 10_000_000)),
            diagnosis_usd=_number(env, "HEMOSTAT_DIAGNOSIS_USD", cls.diagnosis_usd, 0, 1000),
            diagnosis_day_tokens=int(
                _number(env, "HEMOSTAT_DIAGNOSIS_DAY_TOKENS", cls.diagnosis_day_tokens, 0, 1_000_000_000)
            ),
            diagnosis_day_usd=_number(env, "HEMOSTAT_DIAGNOSIS_DAY_USD", cls.diagnosis_day_usd, 0, 100_000),
            diagnosis_rounds=int(_number(env, "HEMOSTAT_DIAGNOSIS_ROUNDS", cls.diagnosis_rounds, 1, 20)),
            slack_bot_token_file=env.get("HEMOSTAT_SLACK_BOT_TOKEN_FILE", ""),
            slack_app_token_file=env.get("HEMOSTAT_SLACK_APP_TOKEN_FILE", ""),
            slack_channels=_channels(env, "HEMOSTAT_SLACK_CHANNELS"),
            slack_people=env.get("HEMOSTAT_SLACK_PEOPLE", cls.slack_people),
            slack_remind_seconds=_number(env, "HEMOSTAT_SLACK_REMIND_SECONDS", cls.slack_remind_seconds, 0, 86400),
            slack_api_url=env.get("HEMOSTAT_SLACK_API_URL", cls.slack_api_url).rstrip("/") + "/",
            workers=int(_number(env, "HEMOSTAT_WORKERS", 4, 1, 64)),
            actions=tuple(n.strip() for n in names.split(",") if n.strip()) if names is not None else None,
        )
        if len({found.http_port, found.otlp_port, found.otlp_grpc_port}) < 3:
            raise Broken("HEMOSTAT_HTTP_PORT, HEMOSTAT_OTLP_PORT and HEMOSTAT_OTLP_GRPC_PORT must differ")
        return found


def _number(env: Mapping[str, str], name: str, default: float, least: float, most: float) -> float:
    text = env.get(name)
    if text is None:
        return default
    try:
        value = float(text)
    except ValueError:
        raise Broken(f"{name} must be a number, not {text!r}") from None
    if not least <= value <= most:
        raise Broken(f"{name} must be between {least:g} and {most:g}, not {value:g}")
    return value


def _names(env: Mapping[str, str], name: str) -> dict[str, None]:
    return dict.fromkeys(n.strip() for n in env.get(name, "").split(",") if n.strip())


def _models(env: Mapping[str, str]) -> tuple[str, ...]:
    names = tuple(_names(env, "HEMOSTAT_MODELS"))
    if len(names) > MAX_MODELS:
        raise Broken(f"HEMOSTAT_MODELS must name at most {MAX_MODELS} models, not {len(names)}")
    return names


def _channels(env: Mapping[str, str], name: str) -> tuple[tuple[str, str], ...]:
    """Read `CHANNEL`, or `NAMESPACE=CHANNEL` several times."""
    found = []
    for part in _names(env, name):
        namespace, equals, channel = part.partition("=")
        where, what = (namespace.strip(), channel.strip()) if equals else ("*", part)
        if not where or not re.fullmatch(r"[CG][A-Z0-9]{1,30}", what):
            raise Broken(f"{name} must be the id of a channel, or like shop=C012AB3CD,*=C034EF5GH; not {part[:80]!r}")
        found.append((where, what))
    return tuple(found)


def _headers(env: Mapping[str, str], name: str) -> tuple[tuple[str, str], ...]:
    found = []
    for part in env.get(name, "").split(";"):
        if not part.strip():
            continue
        key, colon, value = (piece.strip() for piece in part.partition(":"))
        if not colon or not re.fullmatch(r"[A-Za-z0-9-]+", key) or not value.isprintable():
            raise Broken(f'{name} must look like "X-Scope-OrgID: team-a; X-Other: b"')  # it may hold a secret
        found.append((key, value))
    return tuple(found)
