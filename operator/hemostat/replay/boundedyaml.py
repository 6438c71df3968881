"""YAML of strangers: what merges itself into itself, again and again, is refused before it fills the memory (pure)."""

from collections.abc import Iterator
from typing import Any

import yaml

MAX_MERGED = 10_000
"""Keys that one mapping may have with those that are merged into it (`<<`): nine times nine of them, nine times over,
are 400 million of a file of 500 bytes."""


class _Bounded(yaml.SafeLoader):
    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        super().flatten_mapping(node)
        if len(node.value) > MAX_MERGED:
            said = f"more than {MAX_MERGED:,} keys are merged into one mapping"
            raise yaml.constructor.ConstructorError(None, None, said, node.start_mark)


def documents(text: str | bytes) -> Iterator[Any]:
    """Yield the documents of a text as `yaml.safe_load_all` does. Raises what that raises."""
    loader = _Bounded(text)
    try:
        while loader.check_data():  # type: ignore[no-untyped-call]
            yield loader.get_data()
    finally:
        loader.dispose()
