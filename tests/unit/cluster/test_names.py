import pytest

from hemostat_chaos.cluster.errors import ClusterError
from hemostat_chaos.cluster.names import ClusterName


@pytest.mark.parametrize("text", ["demo", "a", "x-1", "a" * 20])
def test_ordinary_names_are_accepted(text: str) -> None:
    assert str(ClusterName(text)) == text


@pytest.mark.parametrize("text", ["", "Demo", "1a", "-a", "a-", "a" * 21, "a_b", "a/b", "..", "a\n"])
def test_names_that_would_break_something_are_refused(text: str) -> None:
    with pytest.raises(ClusterError) as caught:
        ClusterName(text)
    assert caught.value.hint


def test_interface_names_fit_the_kernel_and_differ() -> None:
    one, other = ClusterName("a" * 20), ClusterName("a" * 19)
    names = {one.host_link, one.inner_link, other.host_link, other.inner_link}
    assert len(names) == 4
    assert all(len(name) <= 15 for name in names)


def test_a_container_name_is_a_host_name() -> None:
    assert len(f"{ClusterName('a' * 20).kind}-control-plane") <= 63
