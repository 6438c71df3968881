"""Orders that come in: what is garbled is refused whole and counted, the rest is obeyed, twice as once."""

import json
import os

from tests.unit.guard.support import WALL, Bench
from tests.unit.guard.test_breaker import cut, passes

from hemostat.guard import OrderDirectory
from hemostat.guard.orders import MAX_ORDER_BYTES, MAX_ORDERS, render


def test_a_garbled_order_is_refused_and_counted_once_and_the_others_stand():
    bench = Bench()
    said = {"good": render(cut("good")), "bad": '{"order": "Cut", "callee": "critic"}'}
    bench.guard.desk.deliver(said)
    bench.guard.desk.deliver(said)
    assert not passes(bench)
    assert bench.guard.desk.refused == 1
    (refused,) = [e for e in bench.kept.named("hemostat.guard.order") if e["hemostat.guard.order.state"] == "refused"]
    assert refused["hemostat.guard.order.id"] == "bad"
    assert "is missing" in refused["hemostat.guard.reason"]


def test_an_order_that_becomes_garbled_holds_no_longer():
    """It is not what the operator wants now, and nobody can tell what he wants: a cut must never outlast doubt."""
    bench = Bench()
    bench.order(cut())
    bench.guard.desk.deliver({"one": "{"})
    assert passes(bench)


def test_too_many_orders_are_refused_together_and_what_holds_goes_on():
    bench = Bench()
    bench.order(cut())
    flood = {f"f{n}": render(cut(f"f{n}", callee="search")) for n in range(MAX_ORDERS + 1)}
    bench.guard.desk.deliver(flood)
    assert bench.guard.desk.refused == 1
    assert not passes(bench)
    assert passes(bench, callee="search")


def test_orders_are_read_from_a_real_directory_as_a_kubelet_writes_it(tmp_path):
    """The kubelet swaps a symlink `..data`; files are symlinks into it."""
    bench = Bench()
    directory = OrderDirectory(str(tmp_path))
    write(tmp_path, "..v1", {"one": render(cut())})
    bench.guard.desk.deliver(directory.look())
    assert not passes(bench)
    write(tmp_path, "..v2", {"two": render(cut("two", callee="search"))})
    bench.guard.desk.deliver(directory.look())
    assert passes(bench)
    assert not passes(bench, callee="search")


def write(path, version, orders):
    (path / version).mkdir()
    for key, text in orders.items():
        (path / version / key).write_text(text)
    (path / "..tmp").symlink_to(version)
    (path / "..tmp").replace(path / "..data")
    for old in [entry for entry in path.iterdir() if not entry.name.startswith(".")]:
        old.unlink()
    for key in orders:
        (path / key).symlink_to(f"..data/{key}")


def test_a_hostile_directory_fills_nothing_and_stops_nobody(tmp_path):
    bench = Bench()
    (tmp_path / "huge").write_text("x" * 10_000_000)
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "good").write_text(render(cut("good")))
    said = OrderDirectory(str(tmp_path)).look()
    assert set(said) == {"huge", "binary", "good"}
    assert len(said["huge"]) == MAX_ORDER_BYTES + 1
    bench.guard.desk.deliver(said)
    assert bench.guard.desk.refused == 2
    assert not passes(bench)


def test_a_directory_with_too_many_files_is_not_read_to_its_end(tmp_path):
    for n in range(MAX_ORDERS + 50):
        (tmp_path / f"f{n}").write_text("{}")
    assert len(OrderDirectory(str(tmp_path)).look()) == MAX_ORDERS + 1


def test_no_directory_orders_nothing(tmp_path):
    assert OrderDirectory(str(tmp_path / "none")).look() == {}


def test_an_order_that_is_taken_away_while_it_is_read_lifts_no_other(tmp_path):
    """The kubelet swaps the folder behind the links and removes the stale links afterwards."""
    (tmp_path / "a").symlink_to(tmp_path / "..gone" / "a")
    (tmp_path / "b").write_text("{}")
    assert OrderDirectory(str(tmp_path)).look() == {"b": "{}"}


def test_the_ticker_reads_the_directory_and_a_broken_one_leaves_what_holds(tmp_path):
    bench = Bench()
    (tmp_path / "one").write_text(json.dumps(json.loads(render(cut()))))
    bench.guard.follow(OrderDirectory(str(tmp_path)))
    bench.later(1)
    assert not passes(bench)
    (tmp_path / "one").unlink()
    tmp_path.rmdir()
    tmp_path.write_text("no directory")
    bench.guard.ticker.tick()
    assert bench.guard.ticker.failures == 1
    assert not passes(bench)
    bench.time.passed += 60
    assert passes(bench)


def test_shutdown_lets_go_of_everything():
    bench = Bench()
    bench.order(cut(until=600))
    bench.guard.shutdown()
    assert passes(bench)
    assert bench.time.time_ns() == WALL * 10**9
