"""Strongly connected components (pure): who explains whom, round in circles, is one thing.

Tarjan, "Depth-first search and linear graph algorithms", SIAM J. Comput. 1(2), 1972; without recursion, for a hostile
call graph may be one long chain.
"""

from collections.abc import Iterable, Iterator, Mapping


def components(graph: Mapping[str, Iterable[str]]) -> list[tuple[str, ...]]:
    """Return the components, each sorted, a component only after all that it leads to. O(nodes + edges)."""
    search = _Search(graph)
    for node in sorted(graph):
        if node not in search.number:
            search.visit(node)
    return search.found


class _Search:
    def __init__(self, graph: Mapping[str, Iterable[str]]) -> None:
        self.graph = graph
        self.number: dict[str, int] = {}
        self.low: dict[str, int] = {}
        self.path: list[str] = []
        self.on_path: set[str] = set()
        self.found: list[tuple[str, ...]] = []

    def visit(self, root: str) -> None:
        todo = [(root, self._enter(root))]
        while todo:
            node, successors = todo[-1]
            child = next(successors, None)
            if child is None:
                todo.pop()
                self._leave(node)
                if todo:
                    parent = todo[-1][0]
                    self.low[parent] = min(self.low[parent], self.low[node])
            elif child not in self.number:
                todo.append((child, self._enter(child)))
            elif child in self.on_path:
                self.low[node] = min(self.low[node], self.number[child])

    def _enter(self, node: str) -> Iterator[str]:
        self.number[node] = self.low[node] = len(self.number)
        self.path.append(node)
        self.on_path.add(node)
        return iter(sorted(self.graph.get(node, ())))

    def _leave(self, node: str) -> None:
        if self.low[node] != self.number[node]:
            return
        component = [self.path.pop()]
        while component[-1] != node:
            component.append(self.path.pop())
        self.on_path.difference_update(component)
        self.found.append(tuple(sorted(component)))
