"""The call graph is closed: whoever is called exists and answers that route."""

from hemostat_chaos.shop.roles import BROWSE, BUY, ROLES, peers


def test_every_call_meets_a_route_of_its_callee():
    calls = [call for role in ROLES.values() for route in role.routes for call in route.calls]
    for call in (BROWSE, BUY, *calls):
        assert (call.method, call.path) in {(r.method, r.path) for r in ROLES[call.peer].routes}


def test_the_graph_is_the_one_promised():
    assert {name: peers(role) for name, role in ROLES.items()} == {
        "load": ("frontend",),
        "frontend": ("catalog", "checkout"),
        "catalog": (),
        "checkout": ("inventory", "payment"),
        "inventory": (),
        "payment": (),
    }
