"""The command line of the local clusters."""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from hemostat_chaos.cluster import (
    binaries,
    choose,
    current,
    locks,
    offline,
    ordinary,
    processes,
    report,
    state,
)
from hemostat_chaos.cluster.errors import ClusterError
from hemostat_chaos.cluster.kindconfig import Shape
from hemostat_chaos.cluster.names import ClusterName
from hemostat_chaos.cluster.paths import cache_root, kubeconfig_path, lock_root
from hemostat_chaos.cluster.progress import Progress

PROGRAM = "python -m hemostat_chaos.cluster"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return the status to exit with."""
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except ClusterError as error:
        print(error.explain(), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=PROGRAM, description="Local Kubernetes clusters.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    up = commands.add_parser("up", help="bring a cluster up, or find that it already is")
    _add_name(up)
    up.add_argument("--workers", type=int, default=0, choices=range(9), metavar="0-8")
    spares = "workers that take no pods but those that ask for them: faults of nodes hit these"
    up.add_argument("--spares", type=int, default=0, choices=range(9), metavar="0-8", help=spares)
    up.add_argument(
        "--publish",
        type=int,
        action="append",
        default=[],
        metavar="NODEPORT",
        help="make a NodePort reachable from this machine; may be repeated",
    )
    up.add_argument(
        "--cluster",
        choices=("kind", "current"),
        default=os.environ.get("CLUSTER", "kind"),
        help="a kind cluster, or the one that kubectl points at (default: $CLUSTER or kind)",
    )
    up.add_argument("--fresh", action="store_true", help="never reuse a cluster that is up")
    up.set_defaults(run=_up)

    image = commands.add_parser("image", help="build the images and load them into the cluster")
    _add_name(image)
    image.add_argument("--metrics-server", action="store_true", help="that one too: autoscalers ask it for the load")
    image.set_defaults(run=_image)

    down = commands.add_parser("down", help="remove every trace of a cluster; caches stay")
    _add_name(down)
    down.add_argument("--all", action="store_true", help="every cluster on this machine")
    down.add_argument("--purge", action="store_true", help="the caches too")
    down.set_defaults(run=_down)

    built = commands.add_parser("binaries", help="build what a bare API server needs, or find it built")
    built.set_defaults(run=_binaries)

    status = commands.add_parser("status", help="list the clusters on this machine")
    status.set_defaults(run=_status)

    env = commands.add_parser("env", help="print what a shell needs: eval it")
    _add_name(env)
    env.set_defaults(run=_env)
    return parser


def _add_name(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--name", default="demo", help="the cluster's name (default: %(default)s)")


def _up(options: argparse.Namespace) -> None:
    name = ClusterName(options.name)
    progress = Progress()
    with _sole_user(name, "up"):
        if options.cluster == "current":
            current.up(name, progress)
        else:
            _up_kind(name, options, progress)
    print(kubeconfig_path(str(name)))


def _up_kind(name: ClusterName, options: argparse.Namespace, progress: Progress) -> None:
    shape = Shape(options.workers, tuple(options.publish), options.spares)
    # What was begun one way goes on that way, whatever Docker says by now.
    begun = choose.Choice(choose.Way.OFFLINE, "as before") if state.load(name) is not None else None
    choice = begun or choose.choose(choose.find_out())
    progress.say(choice.line())
    if choice.way is choose.Way.ORDINARY:
        ordinary.up(name, shape, progress, fresh=options.fresh)
    else:
        offline.up(name, shape, progress, fresh=options.fresh)


def _image(options: argparse.Namespace) -> None:
    # Imported late: it is not needed to bring a cluster up.
    from hemostat_chaos.cluster.images import deliver

    name = ClusterName(options.name)
    with _sole_user(name, "image"):
        deliver.deliver(name, Progress(), autoscaling=options.metrics_server)


def _down(options: argparse.Namespace) -> None:
    progress = Progress()
    chosen = [*map(ClusterName, state.names())] if options.all else [ClusterName(options.name)]
    for name in chosen:
        with _sole_user(name, "down"), progress.step(f"removing cluster {name}"):
            if state.load(name) is not None or offline.any_remains(name):
                offline.remove(name)
            ordinary.remove(name)
    if options.purge:
        left = state.names()
        if left:
            raise ClusterError(f"the caches are in use by cluster {', '.join(left)}", hint="use --all --purge")
        with progress.step(f"removing {cache_root()}"):
            shutil.rmtree(cache_root(), ignore_errors=True)


def _binaries(_: argparse.Namespace) -> None:
    from hemostat_chaos.cluster.apiserver import CONTROLLERS, PROGRAMS

    print(binaries.binaries([*PROGRAMS, *CONTROLLERS], Progress()))


def _status(_: argparse.Namespace) -> None:
    rows = []
    for text in state.names():
        record = state.load(ClusterName(text))
        if record is None:
            rows.append(report.Row(text, "broken", "-", "-", "-"))
            continue
        identity = processes.parse_identity(record.dockerd)
        running = identity is not None and processes.alive(identity)
        phase = record.phase if running else "dead"
        rows.append(report.Row(text, phase, str(record.workers + 1), record.since, record.directory))
    print(report.table(rows))


def _env(options: argparse.Namespace) -> None:
    name = ClusterName(options.name)
    config = kubeconfig_path(str(name))
    if not config.exists():
        raise ClusterError(f"cluster {name} is not up", hint=f"{PROGRAM} up --name {name}")
    # Whoever evaluates this output must get nothing else on it.
    kubectl = binaries.kubectl_path(Progress(sys.stderr))
    print(f"export KUBECONFIG={shlex.quote(str(config))}")
    plugin = Path(sys.executable).parent  # kubectl finds `kubectl hemostat` there
    print(f"export PATH={shlex.quote(str(kubectl.parent))}:{shlex.quote(str(plugin))}:$PATH")


def _sole_user(name: ClusterName, command: str) -> AbstractContextManager[None]:
    def busy(holder: str) -> None:
        raise ClusterError(
            f"cluster {name} is being worked on by {holder}",
            hint=f"wait for it and type `{PROGRAM} {command} --name {name}` again, or use another name",
        )

    return locks.held(lock_root() / f"cluster-{name}.lock", busy=busy)
