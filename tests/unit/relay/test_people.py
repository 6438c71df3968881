"""Who is who: an entry counts for exactly the person it names, and a wrong one for nobody."""

import pytest

from hemostat.relay.people import MAX_PEOPLE, Person, people


def test_a_person_is_a_user_and_groups():
    found, wrong = people({"U01AB": "ann@example.com\nsre\n on call \n", "W2": "ben"})
    assert found == {"U01AB": Person("ann@example.com", ("sre", "on call")), "W2": Person("ben")}
    assert wrong == []


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("U1", ""),
        ("U1", "\n"),
        ("U1", "ann\n\nsre"),
        ("U1", "ann\nb\x00"),
        ("U1", "ann\ra"),
        ("U1", "änn"),
        ("U1", "a" * 254),
        ("U1", "ann\n" + "\n".join(f"g{i}" for i in range(40))),
        ("U1", "system:serviceaccount:shop:robot"),
        ("U1", "ann\nsystem:masters"),
        ("U1", "ann\nsystem:authenticated"),
        ("ann", "ann"),
        ("u1", "ann"),
        ("U", "ann"),
    ],
)
def test_a_wrong_entry_counts_for_nobody_and_hinders_nobody_else(key, value):
    found, wrong = people({key: value, "U9": "ben"})
    assert (found, len(wrong)) == ({"U9": Person("ben")}, 1)


def test_they_are_bounded():
    found, wrong = people({f"U{i:05}": f"p{i}" for i in range(MAX_PEOPLE + 5)})
    assert (len(found), len(wrong)) == (MAX_PEOPLE, 1)
