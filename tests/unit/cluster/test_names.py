import pytest

from hemostat_chaos.cluster import run
from hemostat_chaos.cluster.errors import ClusterError
from hemostat_chaos.cluster.names import ClusterName
from hemostat_chaos.cluster.on_node import on_node


@pytest.mark.parametrize("text", ["demo", "a", "x-1", "a" * 20])
def test_ordinary_names_are_accepted(text: str) -> None:
    assert str(ClusterName(text)) == text


@pytest.mark.parametrize("text", ["", "Demo", "1a", "-a", "a-", "a" * 21, "a_b", "a/b", "..", "a\n"])
def test_names_that_would_break_something_are_refused(text: str) -> None:
    with pytest.raises(ClusterError) as caught:
        ClusterName(text)
    assert caught.value.hint


def test_a_context_tells_the_cluster_and_foreign_ones_are_refused() -> None:
    assert ClusterName.of_context(ClusterName("x-1").context) == ClusterName("x-1")
    for foreign in ("production", "kind-kind", "kind-hemostat-", "kind-hemostat-A"):
        with pytest.raises(ClusterError):
            ClusterName.of_context(foreign)


@pytest.mark.parametrize("node", ["hemostat-x-2-worker", "hemostat-y-worker", "hemostat-x-worker;", "worker", ""])
def test_no_command_is_run_but_on_nodes_of_the_cluster(node: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "output", lambda *_, **__: pytest.fail("it was run"))
    with pytest.raises(ClusterError, match="is no node of cluster x"):
        on_node(ClusterName("x"), node, "true")


def test_interface_names_fit_the_kernel_and_differ() -> None:
    one, other = ClusterName("a" * 20), ClusterName("a" * 19)
    names = {one.host_link, one.inner_link, other.host_link, other.inner_link}
    assert len(names) == 4
    assert all(len(name) <= 15 for name in names)


def test_a_container_name_is_a_host_name() -> None:
    assert len(f"{ClusterName('a' * 20).kind}-control-plane") <= 63
