"""Who asks, and what he may: nothing but a clear yes of the API server counts."""

import pytest

from hemostat.errors import Refused
from hemostat.serve.identity import (
    Caller,
    Wish,
    access_review,
    allowed,
    caller_of,
    checked_name,
    checked_namespace,
    token_of,
    token_review,
)


@pytest.mark.parametrize("header", ["Bearer abc.def", "bearer abc.def", "Bearer   abc.def  "])
def test_a_bearer_token_is_taken_out_of_the_header(header):
    assert token_of(header) == "abc.def"


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic abc", "abc", "Bearer a b", "Bearer \xe9"])
def test_whatever_is_no_bearer_token_is_refused_with_what_to_send(header):
    with pytest.raises(Refused, match="Authorization: Bearer TOKEN") as refused:
        token_of(header)
    assert refused.value.reason == "Unauthenticated"


def review(**status):
    return {"status": {"user": {"username": "jane"}} | status}


def test_who_is_authenticated_is_known_with_all_that_may_give_him_rights():
    user = {"username": "jane", "uid": "u1", "groups": ["sre", "dev"], "extra": {"scopes": ["a", "b"]}}
    caller = caller_of(review(authenticated=True, user=user), ())
    assert caller == Caller("jane", "u1", ("sre", "dev"), (("scopes", ("a", "b")),))
    spec = access_review(caller, Wish("get", "incidents", "shop", "payment-1"))["spec"]
    assert (spec["user"], spec["uid"], spec["groups"]) == ("jane", "u1", ["sre", "dev"])
    assert spec["extra"] == {"scopes": ["a", "b"]}
    assert spec["resourceAttributes"] == {
        "group": "hemostat.dev",
        "resource": "incidents",
        "verb": "get",
        "namespace": "shop",
        "name": "payment-1",
    }


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"status": None},
        review(),
        review(authenticated=False),
        review(authenticated="true"),
        review(authenticated=True, user={}),
        review(authenticated=True, user={"username": ""}),
        review(authenticated=True, user=None),
    ],
)
def test_anything_but_a_clear_yes_is_nobody(answer):
    assert caller_of(answer, ()) is None


@pytest.mark.parametrize(("said", "known"), [(["hemostat"], True), (["other"], False), ([], False), (None, False)])
def test_a_token_that_is_meant_for_somebody_else_is_nobodys(said, known):
    assert token_review("t", ("hemostat",))["spec"] == {"token": "t", "audiences": ["hemostat"]}
    assert (caller_of(review(authenticated=True, audiences=said), ("hemostat",)) is not None) is known


@pytest.mark.parametrize(
    ("status", "may"),
    [
        ({"allowed": True}, True),
        ({"allowed": True, "denied": True}, False),
        ({"allowed": False}, False),
        ({"allowed": "yes"}, False),
        ({}, False),
        (None, False),
    ],
)
def test_a_right_is_a_plain_yes(status, may):
    assert allowed({"status": status}) is may


@pytest.mark.parametrize("text", ["", "..", "a/b", "shop/../kube-system", "A", "a" * 64, "a?x=1", "a%2fb", "a b", "é"])
def test_no_part_of_a_path_is_made_of_what_is_no_name(text):
    with pytest.raises(Refused):
        checked_namespace(text)
    with pytest.raises(Refused):
        checked_name(text if len(text) < 64 else "a" * 254)


def test_names_may_have_dots_and_namespaces_may_not():
    assert checked_name("a.b-1") == "a.b-1"
    with pytest.raises(Refused):
        checked_namespace("a.b")
