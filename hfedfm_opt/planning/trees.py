"""Trees of hops: in which order they are used, and which modules each of them carries."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from hfedfm_opt.system.decisions import Hop

Modules = frozenset[str]


class TreeError(ValueError):
    """Hops that do not form the tree that they should."""


def gather_order(hops: Sequence[Hop], root: str) -> tuple[Hop, ...]:
    """Return the hops of an in-tree, ordered so that each node has received all before it sends.

    Parameters
    ----------
    hops : sequence of Hop
        Each node but the root sends exactly once; every way ends at the root.
    root : str
        The node to which all flows.

    Raises
    ------
    TreeError
        If a node sends twice, the root sends, or a way never reaches the root.
    """
    outwards = _breadth_first(hops, root, near=lambda hop: hop.target, far=lambda hop: hop.source)
    return tuple(reversed(outwards))


def deliver_order(hops: Sequence[Hop], root: str) -> tuple[Hop, ...]:
    """Return the hops of an out-tree, ordered so that each node receives before it sends.

    Parameters
    ----------
    hops : sequence of Hop
        Each node but the root receives exactly once; every way starts at the root.
    root : str
        The node from which all flows.

    Raises
    ------
    TreeError
        If a node receives twice, the root receives, or a node is not reached.
    """
    return tuple(_breadth_first(hops, root, near=lambda hop: hop.source, far=lambda hop: hop.target))


def ways_up(hops: Sequence[Hop], root: str, nodes: Iterable[str]) -> dict[str, tuple[Hop, ...]]:
    """Return the hops from each node to the root of an in-tree, empty for the root.

    Parameters
    ----------
    hops : sequence of Hop
        A tree as :func:`gather_order` takes it.
    root : str
        The node to which all flows.
    nodes : iterable of str
        Where the ways start.
    """
    hop_of = {hop.source: hop for hop in hops}
    ways = {}
    for start in nodes:
        way: list[Hop] = []
        node = start
        while node != root:
            way.append(hop_of[node])
            node = hop_of[node].target
        ways[start] = tuple(way)
    return ways


def modules_up(ordered: Iterable[Hop], own: Mapping[str, Modules]) -> dict[str, Modules]:
    """Return, for each node of an in-tree, the union of the modules of its subtree: what it sends.

    Parameters
    ----------
    ordered : iterable of Hop
        Hops as :func:`gather_order` gives them.
    own : mapping of str to frozenset of str
        Modules that each node has itself; a node without any may be absent.
    """
    union = dict(own)
    for hop in ordered:
        union[hop.target] = union.get(hop.target, frozenset()) | union.get(hop.source, frozenset())
    return union


def modules_down(ordered: Sequence[Hop], own: Mapping[str, Modules]) -> dict[str, Modules]:
    """Return, for each node of an out-tree, the union of the modules needed in its subtree: what it receives.

    Parameters
    ----------
    ordered : sequence of Hop
        Hops as :func:`deliver_order` gives them.
    own : mapping of str to frozenset of str
        Modules that each node needs itself; a node without any may be absent.
    """
    union = dict(own)
    for hop in reversed(ordered):
        union[hop.source] = union.get(hop.source, frozenset()) | union.get(hop.target, frozenset())
    return union


def _breadth_first(
    hops: Sequence[Hop], root: str, *, near: Callable[[Hop], str], far: Callable[[Hop], str]
) -> list[Hop]:
    outwards: dict[str, list[Hop]] = {}
    for hop in hops:
        outwards.setdefault(near(hop), []).append(hop)
    ends = [far(hop) for hop in hops]
    if len(set(ends)) != len(ends) or root in ends:
        twice = next(end for end in ends if end == root or ends.count(end) > 1)
        raise TreeError(f"node {twice!r} has more than one way to {root!r}, must have exactly one")
    ordered: list[Hop] = []
    frontier = [root]
    for node in frontier:
        ordered.extend(outwards.get(node, ()))
        frontier.extend(far(hop) for hop in outwards.get(node, ()))
    if len(ordered) != len(hops):
        lost = sorted(set(ends) - {far(hop) for hop in ordered})
        raise TreeError(f"nodes {', '.join(lost)} have no way to {root!r}")
    return ordered
