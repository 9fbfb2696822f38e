"""Groups that wait for each other: found as the strongly connected components of `dependsOn` (Tarjan, 1972)."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import TypeVar

Key = TypeVar("Key", bound=Hashable)
Graph = Mapping[Key, Sequence[Key]]


def cycle_of_each(graph: Graph[Key]) -> dict[Key, tuple[Key, ...]]:
    """Give each node that lies on a cycle a shortest cycle through itself, first node repeated at the end."""
    return {
        node: _shortest(graph, node, frozenset(component))
        for component in _components(graph)
        for node in component
        if len(component) > 1 or node in graph.get(node, ())
    }


def _shortest(graph: Graph[Key], start: Key, within: frozenset[Key]) -> tuple[Key, ...]:
    """Search in breadth from a node back to itself; a strongly connected component always leads back."""
    paths: list[tuple[Key, ...]] = [(start,)]
    seen: set[Key] = set()
    for path in paths:
        for follower in graph.get(path[-1], ()):
            if follower == start:
                return (*path, start)
            if follower in within and follower not in seen:
                seen.add(follower)
                paths.append((*path, follower))
    raise ValueError(f"{start} lies on no cycle")


def _components(graph: Graph[Key]) -> Iterator[list[Key]]:
    """Give the strongly connected components. A stack of iterators in place of recursion: chains may be long."""
    index: dict[Key, int] = {}
    low: dict[Key, int] = {}
    on_path: dict[Key, None] = {}  # an ordered set: Tarjan's stack
    for root in graph:
        if root in index:
            continue
        index[root] = low[root] = len(index)
        on_path[root] = None
        work = [(root, iter(graph.get(root, ())))]
        while work:
            node, followers = work[-1]
            follower = next((one for one in followers if one not in index or one in on_path), None)
            if follower is None:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    yield _popped(on_path, node)
            elif follower in index:
                low[node] = min(low[node], index[follower])
            else:
                index[follower] = low[follower] = len(index)
                on_path[follower] = None
                work.append((follower, iter(graph.get(follower, ()))))


def _popped(on_path: dict[Key, None], node: Key) -> list[Key]:
    component: list[Key] = []
    while not component or component[-1] != node:
        component.append(on_path.popitem()[0])
    return component
