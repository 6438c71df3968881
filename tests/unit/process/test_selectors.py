"""Which pods a workload's selector names: half a selector would name those of others."""

import pytest

from hemostat.kube import pods_of, selector_of


class Asked:
    def list(self, path, **query):
        self.path, self.query = path, query
        return [{}]


@pytest.mark.parametrize(
    ("selector", "text"),
    [
        ({"matchLabels": {"b": "2", "a": "1"}}, "a=1,b=2"),
        ({"matchExpressions": [{"key": "app", "operator": "In", "values": ["x", "y"]}]}, "app in (x,y)"),
        (
            {
                "matchLabels": {"app": "x"},
                "matchExpressions": [{"key": "t", "operator": "NotIn", "values": ["canary"]}],
            },
            "app=x,t notin (canary)",
        ),
        (
            {"matchExpressions": [{"key": "a", "operator": "Exists"}, {"key": "b", "operator": "DoesNotExist"}]},
            "a,!b",
        ),
        ({"matchLabels": {"app": "x"}, "matchExpressions": [{"key": "t", "operator": "Gt", "values": ["1"]}]}, ""),
        ({}, ""),
    ],
)
def test_a_selector_is_asked_for_as_it_stands(selector, text):
    """Expressions were left out: a canary's pods, which share the labels, spoke for the target; or none was found."""
    assert selector_of(selector) == text


def test_everybodys_pods_are_never_asked_for():
    kube = Asked()
    assert pods_of(kube, "shop", {"spec": {}}) == []
    assert pods_of(kube, "shop", {"spec": {"selector": {"matchExpressions": [{"key": "a", "operator": "Exists"}]}}})
    assert (kube.path, kube.query) == ("/api/v1/namespaces/shop/pods", {"labelSelector": "a"})
