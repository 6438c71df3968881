"""`hemostat remediation`: the actions that are installed, what they may do, and a skeleton for one of your own."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hemostat.cli.options import Format, group
from hemostat.errors import Refused

if TYPE_CHECKING:
    from hemostat.action.contract import Action, Rule
    from hemostat.action.registry import Catalogue

app = group("remediation", "The actions a Runbook may name: list them, grant only some of them, write one of your own.")


@app.command("list")
def list_actions(
    output: Annotated[Format, typer.Option("--output", "-o", help="How to print them.")] = Format.TABLE,
) -> None:
    """List the installed actions: for which kinds, what nothing undoes of them, and the rights they need."""
    from hemostat.action.registry import discover

    catalogue = discover()
    if output is Format.TABLE:
        _table(catalogue)
    else:
        _dump([_told(catalogue[name]) for name in sorted(catalogue)], output)


@app.command()
def rbac(
    names: Annotated[
        list[str], typer.Argument(metavar="NAME...", help="The actions that `act` shall have, no others.")
    ],
) -> None:
    """Print the ClusterRoles of `act` for these actions alone: pipe it into kubectl apply --server-side -f -."""
    import yaml

    from hemostat.action.registry import discover
    from hemostat.api.rbac import of_actions

    catalogue = discover()
    if unknown := sorted(set(names) - catalogue.keys()):
        raise Refused("NoSuchAction", f"no action {', '.join(unknown)}; there are {', '.join(sorted(catalogue))}")
    actions = [catalogue[name] for name in sorted(set(names))]
    rules = [r for a in actions for r in a.rules], [r for a in actions for r in a.cluster_rules]
    allowed = ",".join(a.name for a in actions)
    print("# In place of those of operator/deploy/rbac.yaml. Let both processes know of no others, too:")
    print(f"#   kubectl set env -n hemostat-system deployment/hemostat-observe HEMOSTAT_ACTIONS={allowed}")
    print(f"#   kubectl set env -n hemostat-system deployment/hemostat-act HEMOSTAT_ACTIONS={allowed}")
    print(yaml.safe_dump_all(of_actions(*rules), sort_keys=False), end="")


@app.command()
def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Its name: lower-case letters, digits and dashes.")],
    into: Annotated[Path, typer.Option("--into", help="The folder in which a folder NAME is made.")] = Path(),
) -> None:
    """Write a package with one action, its entry point and tests that pass; nothing is installed."""
    from hemostat.action.registry import discover
    from hemostat.cli.skeleton import files

    if name in discover():
        raise Refused("NameTaken", f"an installed package provides the action {name}: choose another name")
    made, folder = files(name), into / name
    try:
        folder.mkdir(parents=True)
        for path, text in made.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text, encoding="utf-8")
    except OSError as error:
        raise Refused("CannotWrite", f"{folder}: {error.strerror or error}") from error
    for path in made:
        print(folder / path)
    print(f"Then: pip install -e {folder} && pytest {folder}", file=sys.stderr)


def _table(catalogue: "Catalogue") -> None:
    from hemostat.cli.text import columns, emit

    rows = columns("NAME", "KINDS", "UNDONE", "RIGHTS IN THE NAMESPACE", "IN THE CLUSTER")
    for name in sorted(catalogue):
        action = catalogue[name]
        undone = f"all but {action.irreversible}; for that a person decides" if action.irreversible else "yes"
        kinds = ", ".join(sorted(action.kinds))
        rows.add_row(name, kinds, undone, _rights(action.rules) or "-", _rights(action.cluster_rules) or "-")
    emit(rows)


def _rights(rules: "tuple[Rule, ...]") -> str:
    return "; ".join(f"{','.join(r.verbs)} {_resources(r)}" for r in rules)


def _resources(rule: "Rule") -> str:
    only = f" ({', '.join(rule.names)})" if rule.names else ""
    return ",".join(f"{r}.{rule.group}" if rule.group else r for r in rule.resources) + only


def _told(action: "Action[Any]") -> dict[str, Any]:
    """Return an action as data; rules as in a ClusterRole."""
    from hemostat.api.rbac import as_rules

    return {
        "name": action.name,
        "summary": action.summary,
        "kinds": sorted(action.kinds),
        "irreversible": action.irreversible,
        "onIneffective": action.on_ineffective,
        "parameters": _parameters(action),
        "rules": as_rules(action.rules),
        "clusterRules": as_rules(action.cluster_rules),
    }


def _parameters(action: "Action[Any]") -> list[dict[str, Any]]:
    schema = action.params.model_json_schema(by_alias=True)
    needed = set(schema.get("required", ()))
    return [
        {"name": name, "required": name in needed}
        | ({"default": field["default"]} if field.get("default") is not None else {})
        for name, field in schema.get("properties", {}).items()
    ]


def _dump(told: list[dict[str, Any]], output: Format) -> None:
    if output is Format.JSON:
        import json

        print(json.dumps(told, indent=2))
        return
    import yaml

    print(yaml.safe_dump(told, sort_keys=False), end="")
