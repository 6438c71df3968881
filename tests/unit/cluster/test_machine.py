import json
import shutil
from pathlib import Path

import pytest

from hemostat_chaos.cluster import cgroups, choose, debian, locks, pki, processes, report
from hemostat_chaos.cluster.choose import Facts, Way
from hemostat_chaos.cluster.errors import ClusterError
from hemostat_chaos.cluster.processes import Identity


@pytest.mark.parametrize(
    ("facts", "way", "word"),
    [
        (Facts(), Way.OFFLINE, "no Docker daemon"),
        (Facts(docker_answers=True), Way.OFFLINE, "cannot pull"),
        (Facts(docker_answers=True, node_image_there=True), Way.OFFLINE, "--privileged"),
        (Facts(docker_answers=True, node_image_there=True, privileged_works=True), Way.ORDINARY, "answer"),
    ],
)
def test_the_choice_follows_from_the_facts_and_is_explained(facts: Facts, way: Way, word: str) -> None:
    choice = choose.choose(facts)
    assert choice.way is way
    assert word in choice.line()
    assert "\n" not in choice.line()


def test_a_process_is_known_by_its_start_even_if_its_name_is_odd() -> None:
    stat = "42 (a) b (c)) S 1 " + " ".join(str(number) for number in range(5, 30))
    assert processes.parse_stat(stat) == ("S", 22)


def test_an_identity_survives_being_written_down() -> None:
    assert processes.parse_identity(str(Identity(12, 345))) == Identity(12, 345)
    assert processes.parse_identity("") is None
    assert processes.parse_identity("12_x") is None


def test_a_reused_process_id_is_not_taken_for_the_old_process() -> None:
    own = processes.own_identity()
    assert processes.alive(own)
    assert not processes.alive(Identity(own.pid, own.start + 1))


def test_a_holder_is_named_with_place_and_time() -> None:
    text = json.dumps({"pid": 7, "directory": "/somewhere", "since": "now"})
    assert locks.describe_holder(text) == "process 7 in /somewhere since now"
    assert locks.describe_holder("{") == "another process"


def test_a_second_holder_is_told_at_once(tmp_path: Path) -> None:
    def busy(holder: str) -> None:
        raise ClusterError(holder)

    path = tmp_path / "lock"
    with locks.held(path), pytest.raises(ClusterError, match="process "), locks.held(path, busy=busy):
        pass
    assert not path.exists()
    with locks.held(path):
        pass


def test_control_group_hierarchies_of_both_kinds(tmp_path: Path) -> None:
    for name in ("pids", "memory"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "cgroup.procs").touch()
    assert cgroups.tracker(tmp_path).name == "pids"
    (tmp_path / "cgroup.controllers").touch()
    assert cgroups.hierarchies(tmp_path) == [tmp_path]


def test_a_group_that_goes_away_while_it_is_looked_at_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`down` died of one."""
    groups = [tmp_path / "ours" / name for name in "abc"]
    for number, group in enumerate(groups):
        group.mkdir(parents=True)
        (group / "cgroup.procs").write_text(f"{number + 100}\n")
    read = Path.read_text

    def reading(path: Path) -> str:
        text = read(path)
        for group in set(groups) - {path.parent}:
            shutil.rmtree(group, ignore_errors=True)
        return text

    monkeypatch.setattr(cgroups, "hierarchies", lambda: [tmp_path])
    monkeypatch.setattr(Path, "read_text", reading)
    assert len(cgroups.members("ours")) == 1


def test_the_mirror_is_the_one_of_the_suite() -> None:
    text = "http://security.example/debian-security bookworm-security\nhttp://mirror.example/debian bookworm\n"
    assert debian.mirror_from(text) == "http://mirror.example/debian"
    assert debian.mirror_from("cdrom:x bookworm\n") is None


def test_a_subject_cannot_be_broken_out_of() -> None:
    assert pki.subject("eve/O=system:masters", ["dev"]) == "/O=dev/CN=eve\\/O=system:masters"


def test_an_error_explains_itself_with_the_end_of_its_log(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    log.write_text("".join(f"line {number}\n" for number in range(30)))
    text = ClusterError("it failed", hint="try again", log=log).explain()
    assert "line 29" in text
    assert "line 9\n" not in text
    assert str(log) in text
    assert "what to do: try again" in text


def test_the_table_lines_up() -> None:
    assert report.table([]) == "no clusters"
    lines = report.table([report.Row("demo", "up", "1", "now", "/x")]).splitlines()
    assert lines[0].index("STATE") == lines[1].index("up")
