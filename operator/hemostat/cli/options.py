"""The options that several commands share, declared once."""

from enum import StrEnum
from typing import Annotated

import typer

Namespace = Annotated[
    str | None, typer.Option("--namespace", "-n", help="Namespace; by default that of the kubeconfig's context.")
]
Context = Annotated[str | None, typer.Option("--context", help="Context of the kubeconfig.")]
Kubeconfig = Annotated[str | None, typer.Option("--kubeconfig", help="Path of the kubeconfig instead of $KUBECONFIG.")]


class Format(StrEnum):
    """How a list is printed."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"
