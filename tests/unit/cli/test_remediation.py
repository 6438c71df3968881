"""`hemostat remediation`: what is listed is what is installed, what is granted is what was named, and what `new` writes
works as it is."""

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from hemostat.action.registry import discover
from hemostat.api import rbac
from hemostat.cli.main import app
from hemostat.cli.skeleton import files
from hemostat.errors import Refused

SOURCES = [str(Path(__file__).parents[3] / "operator"), str(Path(__file__).parents[3] / "remediations")]


def call(*args):
    return CliRunner().invoke(app, ["remediation", *map(str, args)])


def install(package: Path, site: Path) -> Path:
    """Put on a path what pip would put into a virtual environment: the package and its entry points."""
    project = tomllib.loads((package / "pyproject.toml").read_text())["project"]
    info = site / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    points = project["entry-points"]["hemostat.remediations"]
    lines = [f"{name} = {value}" for name, value in points.items()]
    (info / "entry_points.txt").write_text("\n".join(["[hemostat.remediations]", *lines, ""]))
    for module in (package / "src").iterdir():
        (site / module.name).symlink_to(module)
    return site


def run(site: Path, *command: str, where: Path | None = None, **environment: str):
    paths = os.pathsep.join([str(site), *SOURCES])
    return subprocess.run(
        [sys.executable, *command],
        cwd=where,
        env=os.environ | {"PYTHONPATH": paths, "PYTHONDONTWRITEBYTECODE": "1"} | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


HEMOSTAT = ("-m", "hemostat")


@pytest.fixture
def package(tmp_path):
    """A fresh package of `hemostat remediation new`, installed."""
    done = call("new", "tidy-up", "--into", tmp_path)
    assert done.exit_code == 0, done.output
    assert sorted(done.stdout.split()) == sorted(str(tmp_path / "tidy-up" / path) for path in files("tidy-up"))
    install(tmp_path / "tidy-up", tmp_path / "site")
    return tmp_path / "tidy-up"


def broken(package: Path, old: str, new: str) -> None:
    file = package / "src/hemostat_tidy_up/action.py"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def test_a_new_package_passes_its_own_tests(package):
    done = run(package.parent / "site", "-m", "pytest", "-q", "-p", "no:cacheprovider", ".", where=package)
    assert "4 passed" in done.stdout, done.stdout + done.stderr


def test_a_new_package_is_listed_beside_the_others(package):
    done = run(package.parent / "site", *HEMOSTAT, "remediation", "list", "-o", "json")
    told = {one["name"]: one for one in json.loads(done.stdout)}
    assert set(told) == {*discover(), "tidy-up"}
    assert told["tidy-up"]["parameters"] == [{"name": "note", "required": False, "default": "looked after by Hemostat"}]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("import Refused", "import Refused\nraise RuntimeError('no licence')", "RuntimeError: no licence"),
        ("import Refused", "import Refused\nimport no_such_library", "No module named 'no_such_library'"),
        ("import Refused", "import Refused\nimport sys; sys.exit('bye')", "SystemExit: bye"),
        ("import Refused", "import Refused\n)", "SyntaxError"),
        ('("patch",)', '("*",)', "it must name what it needs, never *"),
    ],
)
def test_a_broken_package_stops_the_start_in_one_line(package, old, new, said):
    """With a half of the catalogue a Runbook would find its action gone in the middle of an incident."""
    broken(package, old, new)
    done = run(package.parent / "site", *HEMOSTAT, "remediation", "list")
    assert done.returncode == 1
    assert done.stdout == ""
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("error: remediation tidy-up of package hemostat-tidy-up (hemostat_tidy_up.action:TIDY_UP)")
    assert said in line
    assert "uninstall it, or leave it out of HEMOSTAT_ACTIONS" in line


def test_two_packages_with_one_name_stop_the_start_and_both_are_named(package):
    project = package / "pyproject.toml"
    project.write_text(project.read_text().replace('name = "hemostat-tidy-up"', 'name = "hemostat-other"'))
    (package / "src/hemostat_tidy_up").rename(package / "src/hemostat_other")
    install(package, package.parent / "site")
    done = run(package.parent / "site", *HEMOSTAT, "remediation", "list")
    assert done.returncode == 1
    assert "two packages provide the remediation tidy-up: package hemostat-other (" in done.stderr
    assert "and package hemostat-tidy-up (" in done.stderr


def test_what_is_listed_says_what_it_may_do_and_what_nothing_undoes():
    told = {one["name"]: one for one in yaml.safe_load(call("list", "-o", "yaml").stdout)}
    assert set(told) == set(discover())
    assert told["delete-pod"]["irreversible"].startswith("the pod: ")
    assert told["scale"]["irreversible"] == ""
    scaled = [rule for rule in told["scale"]["rules"] if "deployments/scale" in rule["resources"]]
    assert scaled[0]["apiGroups"] == ["apps"]
    lines = call("list").stdout.splitlines()
    assert len(lines) == 1 + len(told)
    assert any(line.startswith("delete-pod ") and "all but the pod: " in line for line in lines)


def test_who_names_some_actions_gets_their_rights_and_no_others():
    done = call("rbac", "scale", "move-off-node")
    target, nodes = yaml.safe_load_all(done.stdout)
    wanted = [discover()[name] for name in ("move-off-node", "scale")]
    rules = [r for a in wanted for r in a.rules]
    assert [target, nodes] == rbac.of_actions(rules, [r for a in wanted for r in a.cluster_rules])
    assert {"configmaps", "networkpolicies"} & {r for rule in target["rules"] for r in rule["resources"]} == set()
    assert "HEMOSTAT_ACTIONS=move-off-node,scale" in done.stdout


def test_who_names_an_action_that_there_is_none_of_gets_nothing():
    done = call("rbac", "scale", "reboot")
    assert done.stdout == ""
    assert isinstance(done.exception, Refused)
    assert "no action reboot; there are block-key" in str(done.exception)


@pytest.mark.parametrize("name", ["", "Tidy", "tidy_up", "-tidy", "tidy-", "../tidy", "1st", "t" * 51])
def test_what_cannot_name_a_package_is_refused(name, tmp_path):
    done = CliRunner().invoke(app, ["remediation", "new", "--into", str(tmp_path), "--", name])
    assert isinstance(done.exception, Refused)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_written_over(tmp_path):
    assert call("new", "tidy-up", "--into", tmp_path).exit_code == 0
    done = call("new", "tidy-up", "--into", tmp_path)
    assert isinstance(done.exception, Refused)
    assert "File exists" in str(done.exception)
    assert "NameTaken" in repr(call("new", "rollback", "--into", tmp_path).exception.reason)
