"""Who a Slack user is in the cluster: an explicit list, kept by whoever administers it (pure).

The admission policy `hemostat-relayed` reads the same ConfigMap and must understand it in the same way.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

MAX_PEOPLE = 256
MAX_GROUPS = 32
_SLACK_ID = re.compile(r"[UW][A-Z0-9]{1,30}")
_NAME = re.compile(r"[\x21-\x7e]([\x20-\x7e]{0,251}[\x21-\x7e])?")
"""It becomes an HTTP header where a person is impersonated."""
_OF_THE_SYSTEM = "system:"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody whom the cluster knows."""

    user: str
    groups: tuple[str, ...] = ()


def people(data: Mapping[str, str]) -> tuple[dict[str, Person], list[str]]:
    """Read the list: Slack user id -> user name on the first line, a group on each further one.

    :return: the people, and for each entry that cannot be read why it counts for nobody.
    """
    found: dict[str, Person] = {}
    wrong: list[str] = []
    for key in sorted(data):
        if len(found) >= MAX_PEOPLE:
            wrong.append(f"more than {MAX_PEOPLE} people: {key} and those after it are left out")
            break
        user, *groups = [line.strip() for line in data[key].strip().split("\n")]
        why = _problem(key, user, groups)
        if why is None:
            found[key] = Person(user, tuple(groups))
        else:
            wrong.append(f"{key[:64]}: {why}")
    return found, wrong


def _problem(key: str, user: str, groups: list[str]) -> str | None:
    if not _SLACK_ID.fullmatch(key):
        return "the key must be a Slack user id, such as U012AB3CD"
    if len(groups) > MAX_GROUPS:
        return f"at most {MAX_GROUPS} groups"
    for name in (user, *groups):
        if not _NAME.fullmatch(name):
            return "the first line must be a user name and every other one a group: printable ASCII, no empty line"
        if name.startswith(_OF_THE_SYSTEM):
            return f"{name} is a part of the system: a person must be named, with groups of their own"
    return None
