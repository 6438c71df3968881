"""Who asks and what he may: what the API server is asked, and how its answers are read (pure)."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hemostat.api import GROUP
from hemostat.errors import Refused

Json = dict[str, Any]
UNAUTHENTICATED, FORBIDDEN, NOT_FOUND, TOO_MANY, BAD = "Unauthenticated", "Forbidden", "NotFound", "TooMany", "Bad"
"""Reasons of `Refused`; `answers` makes HTTP statuses of them."""
HOW = "send the header Authorization: Bearer TOKEN; `kubectl create token` makes one for a service account"
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody whom the API server knows."""

    user: str
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: tuple[tuple[str, tuple[str, ...]], ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody would read of our kinds: one object, or a list; everywhere where no namespace is named."""

    verb: str
    resource: str
    namespace: str = ""
    name: str = ""

    def __str__(self) -> str:
        where = f"in namespace {self.namespace}" if self.namespace else "in all namespaces"
        return f"{self.verb} {self.resource} {where}"


def token_of(header: str) -> str:
    """Return the bearer token of an Authorization header. Raises `Refused` where there is none."""
    scheme, _, token = header.strip().partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token or not token.isascii() or " " in token:
        raise Refused(UNAUTHENTICATED, HOW)
    return token


def token_review(token: str, audiences: Sequence[str]) -> Json:
    """Return the TokenReview that asks who holds this token."""
    spec = {"token": token} | ({"audiences": list(audiences)} if audiences else {})
    return {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": spec}


def caller_of(review: Mapping[str, Any], audiences: Collection[str]) -> Caller | None:
    """Read the answer: who it is, or None where the token is nobody's, or is meant for somebody else."""
    status = review.get("status") or {}
    user = status.get("user") or {}
    if status.get("authenticated") is not True or not user.get("username"):
        return None
    if audiences and not set(audiences) & set(status.get("audiences") or ()):
        return None
    extra = tuple((k, tuple(v)) for k, v in sorted((user.get("extra") or {}).items()))
    return Caller(user["username"], user.get("uid") or "", tuple(user.get("groups") or ()), extra)


def access_review(caller: Caller, wish: Wish) -> Json:
    """Return the SubjectAccessReview that asks whether he may, with everything that may give him the right."""
    spec: Json = {
        "user": caller.user,
        "groups": list(caller.groups),
        "uid": caller.uid,
        "extra": {key: list(values) for key, values in caller.extra},
        "resourceAttributes": {
            "group": GROUP,
            "resource": wish.resource,
            "verb": wish.verb,
            "namespace": wish.namespace,
            "name": wish.name,
        },
    }
    return {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}


def allowed(review: Mapping[str, Any]) -> bool:
    """Read the answer: anything but a plain yes is a no."""
    status = review.get("status") or {}
    return status.get("allowed") is True and status.get("denied") is not True


def checked_namespace(text: str) -> str:
    """Return the name of a namespace. Raises `Refused` for what can be none: it becomes a part of a path."""
    if not _LABEL.fullmatch(text):
        raise Refused(BAD, f"no namespace can be called {text[:64]!r}")
    return text


def checked_name(text: str) -> str:
    """Return the name of an object. Raises `Refused` for what can be none."""
    if not _NAME.fullmatch(text):
        raise Refused(BAD, f"nothing can be called {text[:64]!r}")
    return text
