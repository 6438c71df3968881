"""What the environment may say, checked once at start.

A bad rollout is part of what the shop demonstrates, so a refused value must say what is allowed: the
message is all an operator sees of a pod that never becomes ready.
"""

import socket
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from hemostat_chaos.shop.roles import ROLES, Role, peers


class SettingsError(ValueError):
    """The environment cannot be used; the message lists every problem and what would be accepted."""


@dataclass(frozen=True, slots=True)
class _Number:
    default: float
    low: float
    high: float
    meaning: str
    whole: bool = False

    def rule(self) -> str:
        kind = "a whole number" if self.whole else "a number"
        return f"must be {kind} from {self.low:g} to {self.high:g} ({self.meaning})"

    def parse(self, text: str) -> float:
        value = int(text) if self.whole else float(text)
        if not self.low <= value <= self.high:  # also refuses NaN
            raise ValueError(text)
        return value


_NUMBERS = {
    "SHOP_PORT": _Number(8080, 1, 65535, "the port to listen on", whole=True),
    "SHOP_WORKERS": _Number(8, 1, 512, "requests one pod works on at once", whole=True),
    "SHOP_WORK_MS": _Number(20, 0, 60_000, "milliseconds of work per request"),
    "SHOP_QUEUE": _Number(32, 0, 4096, "requests that may wait for a worker", whole=True),
    "SHOP_QUEUE_WAIT_MS": _Number(2500, 1, 60_000, "longest wait for a worker, in milliseconds"),
    "SHOP_CALL_TIMEOUT_MS": _Number(3000, 1, 60_000, "deadline of one outgoing call, in milliseconds"),
    "SHOP_LINGER_MS": _Number(3000, 0, 5000, "milliseconds requests are still taken after SIGTERM"),
    "SHOP_FAIL_PERCENT": _Number(0, 0, 100, "share of requests answered with 500"),
    "SHOP_EXTRA_LATENCY_MS": _Number(0, 0, 60_000, "milliseconds added to the work of each request"),
    "SHOP_LEAK_MB_PER_SECOND": _Number(0, 0, 512, "MiB of memory lost per second"),
    "SHOP_SEED": _Number(0, 0, 2**31 - 1, "seed of every random choice", whole=True),
    "SHOP_RPS": _Number(12, 0.1, 200, "requests per second, load only"),
    "SHOP_BUY_PERCENT": _Number(30, 0, 100, "share of requests that buy, load only"),
    "SHOP_CONCURRENCY": _Number(128, 1, 1024, "requests open at once, load only", whole=True),
}
_TEXTS = ("SHOP_HOST", "SHOP_VERSION", "SHOP_PAYMENT_ACCOUNT")
_OTLP = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PEER_URLS = {f"SHOP_{name.upper()}_URL": name for name in ROLES if name != "load"}


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything one process needs to know; times in seconds."""

    role: Role
    host: str | None
    port: int
    workers: int
    work: float
    queue: int
    queue_wait: float
    call_timeout: float
    linger: float
    fail_percent: float
    extra_latency: float
    leak_mb_per_second: float
    seed: str
    rps: float
    buy_percent: float
    concurrency: int
    peers: Mapping[str, str]
    namespace: str
    pod: str
    version: str
    otlp_endpoint: str | None


def read(role_name: str, env: Mapping[str, str]) -> Settings:
    """Check the environment for one role, or raise SettingsError naming every problem at once."""
    role = ROLES.get(role_name)
    if role is None:
        raise SettingsError(f"role {role_name!r} is refused: must be one of {', '.join(ROLES)}")
    problems = [*_unknown(env), *_missing(role, env), *_bad_endpoints(env)]
    numbers = _numbers(env, problems)
    urls = _urls(role, env, problems)
    if problems:
        raise SettingsError("; ".join(problems))
    pod = env.get("POD_NAME") or socket.gethostname()
    return Settings(
        role=role,
        host=env.get("SHOP_HOST") or None,
        port=int(numbers["SHOP_PORT"]),
        workers=int(numbers["SHOP_WORKERS"]),
        work=numbers["SHOP_WORK_MS"] / 1000,
        queue=int(numbers["SHOP_QUEUE"]),
        queue_wait=numbers["SHOP_QUEUE_WAIT_MS"] / 1000,
        call_timeout=numbers["SHOP_CALL_TIMEOUT_MS"] / 1000,
        linger=numbers["SHOP_LINGER_MS"] / 1000,
        fail_percent=numbers["SHOP_FAIL_PERCENT"],
        extra_latency=numbers["SHOP_EXTRA_LATENCY_MS"] / 1000,
        leak_mb_per_second=numbers["SHOP_LEAK_MB_PER_SECOND"],
        # The pod's name is in the seed, so that replicas do not fail in step with each other.
        seed=f"{int(numbers['SHOP_SEED'])}/{role.name}/{pod}",
        rps=numbers["SHOP_RPS"],
        buy_percent=numbers["SHOP_BUY_PERCENT"],
        concurrency=int(numbers["SHOP_CONCURRENCY"]),
        peers=urls,
        namespace=env.get("POD_NAMESPACE") or "shop",
        pod=pod,
        version=env.get("SHOP_VERSION") or "dev",
        otlp_endpoint=next((env[name] for name in _OTLP if env.get(name)), None),
    )


def _unknown(env: Mapping[str, str]) -> list[str]:
    # A misspelt name would silently mean the default, which is the worst kind of setting.
    known = {*_NUMBERS, *_TEXTS, *_PEER_URLS}
    return [
        f"{name} is not known: must be one of {', '.join(sorted(known))}"
        for name in sorted(env)
        if name.startswith("SHOP_") and name not in known
    ]


def _missing(role: Role, env: Mapping[str, str]) -> list[str]:
    return [
        f"{name} is missing: {role.name} must have it set to a name that is not empty"
        for name in role.required
        if not env.get(name)
    ]


def _bad_endpoints(env: Mapping[str, str]) -> list[str]:
    return [
        f"{name}={env[name]!r} is refused: must begin with http:// or https://"
        for name in _OTLP
        if env.get(name) and not env[name].startswith(("http://", "https://"))
    ]


def _numbers(env: Mapping[str, str], problems: list[str]) -> dict[str, float]:
    values: dict[str, float] = {}
    for name, number in _NUMBERS.items():
        text = env.get(name)
        try:
            values[name] = number.default if text is None else number.parse(text)
        except ValueError:
            problems.append(f"{name}={text!r} is refused: {number.rule()}")
    return values


def _urls(role: Role, env: Mapping[str, str], problems: list[str]) -> dict[str, str]:
    needed = peers(role)
    urls: dict[str, str] = {}
    for variable, peer in _PEER_URLS.items():
        text = env.get(variable, f"http://{peer}:8080")
        if not _is_base_url(text):
            problems.append(f"{variable}={text!r} is refused: must be like http://{peer}:8080, without a path")
        elif peer in needed:
            urls[peer] = text.rstrip("/")
    return urls


def _is_base_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        port_is_valid = parts.port is None or parts.port > 0
    except ValueError:
        return False
    bare = parts.path in {"", "/"} and not parts.query and not parts.fragment
    return parts.scheme == "http" and bool(parts.hostname) and bare and port_is_valid
