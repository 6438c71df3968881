"""`python -m hemostat_chaos.agents`: deploy the sample workload of agents, begin work in it, switch its faults."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence

from hemostat.errors import HemostatError
from hemostat_chaos.agents.kinds import AGENTS, KINDS, TROUBLES
from hemostat_chaos.agents.lab import MODEL, TOOLS, ByApiServer, Lab
from hemostat_chaos.cluster.paths import project_root
from hemostat_chaos.demo.kubectl import Kubectl

FOLDER = "chaos/agents"
Command = Callable[[argparse.Namespace, Kubectl, Lab], None]


def main(arguments: Sequence[str]) -> int:
    """Run one command; 0: done, 2: it could not be done."""
    options = _parser().parse_args(arguments)
    kubectl = Kubectl(project_root(), options.context)
    try:
        options.run(options, kubectl, Lab(ByApiServer(kubectl, options.namespace)))
    except HemostatError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def _deploy(options: argparse.Namespace, kubectl: Kubectl, _lab: Lab) -> None:
    print(f"applying {FOLDER} ...", flush=True)
    kubectl("apply", "--server-side", "-k", FOLDER)
    for name in (MODEL, TOOLS, *AGENTS):
        print(f"waiting for deployment/{name} ...", flush=True)
        kubectl("rollout", "status", f"--namespace={options.namespace}", f"deployment/{name}", "--timeout=55s")


def _fault(options: argparse.Namespace, _kubectl: Kubectl, lab: Lab) -> None:
    print(*lab.inflict(options.name), sep="\n")


def _begin(options: argparse.Namespace, _kubectl: Kubectl, lab: Lab) -> None:
    print(lab.begin(options.kind))


def _again(options: argparse.Namespace, _kubectl: Kubectl, lab: Lab) -> None:
    lab.again(options.conversation, str(lab.board()["conversations"][options.conversation]["kind"]))


def _clear(options: argparse.Namespace, _kubectl: Kubectl, lab: Lab) -> None:
    for conversation in options.conversation or lab.faulty():
        lab.clear(conversation)


def _status(_options: argparse.Namespace, _kubectl: Kubectl, lab: Lab) -> None:
    board, faulty = lab.board(), lab.faulty()
    for kind, states in board["counts"].items():
        print(f"{kind:9} {', '.join(f'{count} {state}' for state, count in states.items())}")
    for name, entry in board["conversations"].items():
        if name in faulty or entry["state"] != "done":
            print(f"{name}: {entry['state']}, {lab.spent(name)} tokens in all. {entry['said'][:200]}")


def _parser() -> argparse.ArgumentParser:
    where = argparse.ArgumentParser(add_help=False)
    where.add_argument("--namespace", default="agents")
    where.add_argument("--context", help="context of the kubeconfig instead of the current one")
    parser = argparse.ArgumentParser(prog="python -m hemostat_chaos.agents", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: Command, help_: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, parents=[where], help=help_)
        made.set_defaults(run=run)
        return made

    command("deploy", _deploy, f"apply {FOLDER} and wait until it is up")
    command("status", _status, "how the conversations are")
    fault = command("fault", _fault, "begin conversations in which something is wrong; prints their names")
    fault.add_argument("name", choices=TROUBLES)
    begin = command("begin", _begin, "begin a healthy conversation; prints its name")
    begin.add_argument("kind", choices=KINDS)
    clear = command("clear", _clear, "take faults back: of these conversations, else of all")
    clear.add_argument("conversation", nargs="*")
    again = command("again", _again, "begin a parked conversation again")
    again.add_argument("conversation")
    return parser
