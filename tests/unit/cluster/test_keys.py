from pathlib import Path

from hemostat_chaos.cluster import atomic
from hemostat_chaos.cluster.images import context, layers
from hemostat_chaos.cluster.images.dockerfile import Step


def test_how_parts_are_divided_matters() -> None:
    assert atomic.key_of(["ab", "c"]) != atomic.key_of(["a", "bc"])


def test_a_key_is_short_and_stable() -> None:
    assert atomic.key_of(["a"]) == atomic.key_of([b"a"])
    assert len(atomic.key_of([])) == atomic.KEY_LENGTH


def test_a_tree_is_known_by_names_and_contents_but_not_by_bytecode(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("1")
    key = atomic.key_of_tree(tmp_path)
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "a.pyc").write_text("x")
    assert atomic.key_of_tree(tmp_path) == key
    (tmp_path / "a.py").rename(tmp_path / "b.py")
    assert atomic.key_of_tree(tmp_path) != key


def test_layout_and_comments_of_a_recipe_do_not_count(tmp_path: Path) -> None:
    one, same, other = (tmp_path / name for name in ("one.py", "same.py", "other.py"))
    one.write_text("a = [1, 2]\n")
    same.write_text("# why\na = [\n    1,\n    2,\n]\n")
    other.write_text("a = [1, 3]\n")
    assert atomic.key_of_code(one) == atomic.key_of_code(same)
    assert atomic.key_of_code(one) != atomic.key_of_code(other)


def test_a_layer_depends_on_what_is_below_on_its_commands_and_on_its_content() -> None:
    step = Step("site", "opt/site", [["compile"]])
    keys = {
        layers.key_of_step("below", step, "content"),
        layers.key_of_step("other", step, "content"),
        layers.key_of_step("below", Step("site", "opt/site"), "content"),
        layers.key_of_step("below", step, "changed"),
    }
    assert len(keys) == 4


def test_the_dependencies_are_known_by_the_lock() -> None:
    assert context.site_key(b"a==1") != context.site_key(b"a==2")


def test_a_killed_writer_leaves_nothing_that_counts(tmp_path: Path) -> None:
    target = tmp_path / "file"
    atomic.write(target, "old")
    leftover = tmp_path / ".partial-999999999_1-file"
    leftover.write_text("half")
    with atomic.publish(target) as partial:
        partial.write_text("new")
    assert target.read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_failed_build_leaves_the_old_result(tmp_path: Path) -> None:
    target = tmp_path / "file"
    atomic.write(target, "old")
    try:
        with atomic.publish(target) as partial:
            partial.write_text("half")
            raise RuntimeError
    except RuntimeError:
        pass
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_only_the_newest_are_kept(tmp_path: Path) -> None:
    import os

    for age, name in enumerate(["new", "middle", "old"]):
        (tmp_path / f"x-{name}").mkdir()
        os.utime(tmp_path / f"x-{name}", (1000 - age, 1000 - age))
    (tmp_path / "other").mkdir()
    atomic.prune(tmp_path, "x-*", keep=2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other", "x-middle", "x-new"]
