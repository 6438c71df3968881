"""An incident in the middle of its life, as `observe` and `act` would have written it."""

import io
from collections.abc import Callable

import pytest
from rich.console import Console, RenderableType
from tests.unit.samples import approval, incident, raw, remediation  # noqa: F401 - fixtures


@pytest.fixture
def plain() -> Callable[[RenderableType], str]:
    """Print as into a pipe."""

    def render(what: RenderableType) -> str:
        out = io.StringIO()
        Console(file=out, width=300, markup=False, highlight=False).print(what)
        return "\n".join(line.rstrip() for line in out.getvalue().splitlines())

    return render
