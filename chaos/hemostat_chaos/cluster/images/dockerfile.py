"""Reads the few Dockerfile instructions that this project's Dockerfile uses."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hemostat_chaos.cluster.errors import ClusterError


@dataclass
class Step:
    """One layer: a folder to copy, and the commands to run after it."""

    source: str
    target: str
    commands: list[list[str]] = field(default_factory=list)


@dataclass
class Recipe:
    """A whole Dockerfile: its layers, and the settings of the image."""

    base: str = ""
    arguments: dict[str, str] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)


def parse(text: str) -> Recipe:
    """Read a Dockerfile; refuse any instruction whose meaning is not covered here."""
    recipe = Recipe()
    for line in logical_lines(text):
        word, _, rest = line.partition(" ")
        handler = _HANDLERS.get(word.upper())
        if handler is None:
            raise ClusterError(f"the Dockerfile's {word} cannot be done without Docker")
        handler(recipe, rest.strip())
    return recipe


def logical_lines(text: str) -> list[str]:
    """Join continued lines; drop comments and empty ones."""
    kept = [line.strip() for line in text.splitlines() if not line.lstrip().startswith("#")]
    return [line for line in "\n".join(kept).replace("\\\n", " ").splitlines() if line]


def _arg(recipe: Recipe, rest: str) -> None:
    name, _, default = rest.partition("=")
    recipe.arguments[name] = default


def _from(recipe: Recipe, rest: str) -> None:
    if recipe.base:
        raise ClusterError("a Dockerfile with several stages cannot be built without Docker")
    recipe.base = rest
    for name, value in recipe.arguments.items():
        recipe.base = recipe.base.replace(f"${{{name}}}", value)


def _copy(recipe: Recipe, rest: str) -> None:
    words = rest.split()
    if len(words) != 2 or not all(word.endswith("/") for word in words):
        raise ClusterError(f"COPY {rest}: only a whole folder can be copied without Docker")
    recipe.steps.append(Step(words[0].strip("/"), words[1].strip("/")))


def _run(recipe: Recipe, rest: str) -> None:
    if not recipe.steps:
        raise ClusterError("RUN before COPY cannot be done without Docker")
    recipe.steps[-1].commands.append(_words(rest))


def _env(recipe: Recipe, rest: str) -> None:
    for word in shlex.split(rest):
        name, _, value = word.partition("=")
        recipe.environment[name] = value


def _user(recipe: Recipe, rest: str) -> None:
    recipe.settings["User"] = rest


def _workdir(recipe: Recipe, rest: str) -> None:
    recipe.settings["WorkingDir"] = rest


def _entrypoint(recipe: Recipe, rest: str) -> None:
    recipe.settings["Entrypoint"] = _words(rest)


def _words(rest: str) -> list[str]:
    try:
        words = json.loads(rest)
    except ValueError:
        words = None
    if not isinstance(words, list):
        raise ClusterError(f"{rest}: only a list of words can be run without Docker")
    return [str(word) for word in words]


_HANDLERS: Mapping[str, Callable[[Recipe, str], None]] = {
    "ARG": _arg,
    "FROM": _from,
    "COPY": _copy,
    "RUN": _run,
    "ENV": _env,
    "USER": _user,
    "WORKDIR": _workdir,
    "ENTRYPOINT": _entrypoint,
}
