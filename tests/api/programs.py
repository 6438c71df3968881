"""Real programs of other projects on loopback, ended with the test: from Debian packages, unpacked, not installed; and
Alertmanager, built.
"""

import json
import os
import shutil
import socket
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from hemostat_chaos.cluster import atomic, run, spawn
from hemostat_chaos.cluster.binaries import binaries
from hemostat_chaos.cluster.constants import PACKAGES_DEADLINE
from hemostat_chaos.cluster.paths import cache_root

Json = dict[str, Any]
ERLANG = (
    *("base", "asn1", "crypto", "eldap", "inets", "mnesia", "os-mon", "parsetools", "public-key", "runtime-tools"),
    *("snmp", "ssl", "syntax-tools", "tools", "xmerl", "ftp", "tftp"),
)


def debian(name: str, packages: Sequence[str], finish: Callable[[Path], None] = lambda _root: None) -> Path:
    """Return a folder with the contents of these packages, unpacked once and kept. Skips where there is no apt."""
    if shutil.which("apt-get") is None or shutil.which("dpkg") is None:
        pytest.skip(f"{name} comes from Debian's packages, and there is no apt-get")
    folder = cache_root() / "programs" / f"{name}-{atomic.key_of(packages)}"
    if folder.exists():
        return folder
    with atomic.scratch(cache_root() / "programs", name) as work, atomic.publish(folder) as root:
        log = work / "log"
        download = ["apt-get", "download", *packages]
        if run.attempt(download, deadline=PACKAGES_DEADLINE, cwd=work).returncode != 0:
            run.logged(["apt-get", "update"], log, deadline=PACKAGES_DEADLINE)
            run.logged(download, log, deadline=PACKAGES_DEADLINE, cwd=work)
        for package in work.glob("*.deb"):
            run.output(["dpkg", "--extract", package, root])
        finish(root)
    return folder


def free_port() -> int:
    """Return a port of loopback that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(true: Callable[[], Any], seconds: float, what: str) -> Any:
    """Poll until it holds, and return it."""
    deadline = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.1)
    return found


def answers(url: str) -> bool:
    """Tell whether somebody answers at this address with 200."""
    try:
        with urllib.request.urlopen(url, timeout=2) as response:
            return bool(response.status == 200)
    except OSError:
        return False


@contextmanager
def prometheus(
    folder: Path, jobs: Sequence[Json] = (), openmetrics: str = "", more: Json | None = None
) -> Iterator[str]:
    """Run a Prometheus that scrapes every second and knows this past; yield its address.

    :param more: what else is in its configuration.
    """
    programs = debian("prometheus", ["prometheus"]) / "usr/bin"
    folder.mkdir(parents=True, exist_ok=True)
    every = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
    config = {"global": every, "scrape_configs": list(jobs), **(more or {})}
    (folder / "prometheus.yml").write_text(json.dumps(config))
    if openmetrics:
        (folder / "past.txt").write_text(openmetrics)
        make = [
            programs / "promtool",
            "tsdb",
            "create-blocks-from",
            "openmetrics",
            folder / "past.txt",
            folder / "data",
        ]
        run.output(make, deadline=120)
    port = free_port()
    argv = [
        programs / "prometheus",
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        "--storage.tsdb.retention.time=90d",
        "--rules.alert.resend-delay=1s",  # what was sent before Alertmanager was known is sent again
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    url = f"http://127.0.0.1:{port}"
    process = spawn.background(argv, folder / "prometheus.log")
    try:
        until(lambda: answers(f"{url}/-/ready"), 30, "Prometheus is ready")
        yield url
    finally:
        spawn.end(process, grace=5)


@contextmanager
def alertmanager(folder: Path, urls: Sequence[str], credentials: str = "none") -> Iterator[int]:
    """Run Alertmanager with one receiver, which is called at all of these addresses; yield its port."""
    http = {"authorization": {"credentials": credentials}}
    hooks = [{"url": url, "send_resolved": True, "http_config": http} for url in urls]
    times = {"group_wait": "1s", "group_interval": "1s", "repeat_interval": "1h"}
    config = {
        "route": {"receiver": "it", "group_by": ["alertname"], **times},
        "receivers": [{"name": "it", "webhook_configs": hooks}],
    }
    (folder / "alertmanager.yml").write_text(json.dumps(config))
    port = free_port()
    argv = [
        binaries(["alertmanager"]) / "alertmanager",
        f"--config.file={folder}/alertmanager.yml",
        f"--storage.path={folder}/data",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
    ]
    process = spawn.background(argv, folder / "log")
    try:
        until(lambda: answers(f"http://127.0.0.1:{port}/-/ready"), 30, "Alertmanager is ready")
        yield port
    finally:
        spawn.end(process, grace=5)


class RabbitMQ:
    """A broker: its metrics, and what people do with queues."""

    def __init__(self, metrics_port: int, api_port: int, control: Sequence[object], env: dict[str, str]) -> None:
        self.metrics = f"127.0.0.1:{metrics_port}"
        self._api = f"http://127.0.0.1:{api_port}/api"
        self._control = control
        self._env = env

    def declare(self, queue: str, **arguments: Any) -> None:
        """Make a queue; its arguments are those of AMQP (`x-...`)."""
        self._ask("PUT", f"/queues/%2F/{queue}", {"durable": False, "arguments": arguments})

    def publish(self, queue: str, count: int) -> None:
        """Send messages."""
        message = {"properties": {}, "routing_key": queue, "payload": "x", "payload_encoding": "string"}
        for _ in range(count):
            self._ask("POST", "/exchanges/%2F/amq.default/publish", message)

    def take(self, queue: str, count: int, how: str) -> None:
        """Take messages: `ack_requeue_false`, `reject_requeue_true`, `reject_requeue_false` (to the dead letters)."""
        self._ask("POST", f"/queues/%2F/{queue}/get", {"count": count, "ackmode": how, "encoding": "auto"})

    def poison(self, queue: str, seconds: int) -> None:
        """Have a consumer that gives every message back, on one channel, for so long; it runs inside the broker."""
        self.evaluate(
            "spawn(fun() -> rabbit_misc:module_info(module),"
            '{ok, C} = amqp_connection:start({amqp_params_direct, <<"guest">>, none, <<"/">>, node(), none, []}),'
            "{ok, Ch} = amqp_connection:open_channel(C),"
            f"Get = {{'basic.get', 0, <<\"{queue}\">>, false}},"
            "Once = fun(F, N) when N > 0 -> case amqp_channel:call(Ch, Get) of"
            " {{'basic.get_ok', Tag, _, _, _, _}, _} ->"
            " amqp_channel:call(Ch, {'basic.nack', Tag, false, true}); _ -> ok end,"
            f" timer:sleep(50), F(F, N - 1); (_, _) -> ok end, Once(Once, {seconds * 20}) end)."
        )

    def evaluate(self, erlang: str) -> str:
        """Evaluate Erlang in the broker."""
        return run.output([*self._control, "eval", erlang], env=self._env, deadline=60)

    def _ask(self, method: str, path: str, body: Json) -> None:
        request = urllib.request.Request(self._api + path, json.dumps(body).encode(), method=method)
        request.add_header("Content-Type", "application/json")
        request.add_header("Authorization", "Basic Z3Vlc3Q6Z3Vlc3Q=")  # guest, whom the broker lets in from loopback
        with urllib.request.urlopen(request, timeout=10) as response:
            assert response.status < 300


@contextmanager
def rabbitmq(folder: Path) -> Iterator[RabbitMQ]:
    """Run a RabbitMQ with its Prometheus plugin on loopback, as whoever runs the tests."""
    root = debian("rabbitmq", ["rabbitmq-server", *(f"erlang-{part}" for part in ERLANG)])
    erlang = _erlang(root, folder)
    (sbin,) = (root / "usr/lib/rabbitmq/lib").glob("rabbitmq_server-*/sbin")
    amqp, metrics, api, distribution, epmd = (free_port() for _ in range(5))
    settings = {
        "listeners.tcp.1": f"127.0.0.1:{amqp}",
        "prometheus.tcp.ip": "127.0.0.1",
        "prometheus.tcp.port": metrics,
        "prometheus.return_per_object_metrics": "true",
        "management.tcp.ip": "127.0.0.1",
        "management.tcp.port": api,
        "collect_statistics_interval": 1000,
    }
    (folder / "rabbitmq.conf").write_text("".join(f"{k} = {v}\n" for k, v in settings.items()))
    (folder / "plugins").write_text("[rabbitmq_management,rabbitmq_prometheus].\n")
    env = {
        "HOME": str(folder),
        "PATH": f"{erlang}:{os.environ['PATH']}",
        "RABBITMQ_NODENAME": f"test-{amqp}@localhost",
        "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
        "RABBITMQ_LOG_BASE": str(folder / "log"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
        "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq"),
        "RABBITMQ_CONF_ENV_FILE": "/dev/null",
        "RABBITMQ_DIST_PORT": str(distribution),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "ERL_EPMD_PORT": str(epmd),
    }
    directory = spawn.background([erlang / "epmd", "-address", "127.0.0.1", "-port", str(epmd)], folder / "epmd.log")
    broker = spawn.background([sbin / "rabbitmq-server"], folder / "rabbitmq.log", env={**os.environ, **env})
    found = RabbitMQ(metrics, api, [sbin / "rabbitmqctl"], env)
    try:
        until(lambda: answers(f"http://{found.metrics}/metrics"), 90, "RabbitMQ is ready")
        yield found
    finally:
        run.attempt([sbin / "rabbitmqctl", "stop"], env=env, deadline=30)
        spawn.end(broker, grace=10)
        spawn.end(directory, grace=5)


def _erlang(root: Path, folder: Path) -> Path:
    """Return a folder with Erlang's commands that know where they were unpacked: Debian's know /usr alone."""
    home, bin_ = root / "usr/lib/erlang", folder / "erlang"
    (erts,) = home.glob("erts-*")
    bin_.mkdir(parents=True)
    script = (home / "bin/erl").read_text().replace("ROOTDIR=/usr/lib/erlang", f"ROOTDIR={home}")
    (bin_ / "erl").write_text(script)
    (bin_ / "erl").chmod(0o755)
    for command in ("epmd", "escript", "erl_call"):
        (bin_ / command).symlink_to(erts / "bin" / command)
    return bin_
