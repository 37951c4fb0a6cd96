"""Checks that updates can flow: each node has a way up to its parent and a way down from it.

A way is a link to the parent or to the root, or links over other nodes of the same parent and tier that
have one.  Links that follow from positions are looked at by distance only.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from hfedfm_opt.system.defects import Defect
from hfedfm_opt.system.draft import Draft

BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class _Group:
    """Senders and receivers of a group, by number, and its reach, m."""

    senders: IntArray
    receivers: IntArray
    reach_m: float

    def reversed(self) -> "_Group":
        return _Group(self.receivers, self.senders, self.reach_m)


@dataclass(frozen=True)
class _Graph:
    """Who can send to whom; nodes are numbers."""

    names: Sequence[str]
    parent: IntArray  # (N,), -1 where it is not known
    cluster: IntArray  # (N,), equal for nodes of the same parent and tier
    roots: IntArray  # (R,)
    positions_m: FloatArray  # (N, 3), NaN where it is not known
    links: IntArray  # (L, 2), sender and receiver
    groups: Sequence[_Group]

    def reversed(self) -> "_Graph":
        groups = [group.reversed() for group in self.groups]
        return _Graph(
            self.names, self.parent, self.cluster, self.roots, self.positions_m, self.links[:, ::-1], groups
        )


def check_reach(draft: Draft) -> Iterator[Defect]:
    """Yield the nodes without a way up to their parent, or down from it.

    Nothing is said where links or their ends could not be read: what they would connect is not known.

    Parameters
    ----------
    draft : Draft
        What could be read.
    """
    graph = _graph(draft)
    if graph is None:
        return
    stranded_up, stranded_down = _stranded(graph), _stranded(graph.reversed())
    for index in np.flatnonzero(stranded_up | stranded_down).tolist():
        name, parent = graph.names[index], graph.names[graph.parent[index]]
        ways = [way for way, lacks in (("up to", stranded_up), ("down from", stranded_down)) if lacks[index]]
        root = "" if graph.parent[index] in graph.roots else " or the top node"
        yield Defect(
            f"node {name!r}: way {' and '.join(ways)} its parent {parent!r}",
            "missing",
            f"a link with {parent!r}{root}, or links over other nodes of {parent!r}",
            "add a link, or widen the reach of a group",
        )


def _graph(draft: Draft) -> _Graph | None:
    """Return the graph, or ``None`` where some link is not known."""
    if draft.tiers is None or draft.node_names is None:
        return None
    pairs = _explicit_pairs(draft)
    members = {name for group in draft.wireless_groups.values() for name in (*group.sources, *group.targets)}
    if pairs is None or not members <= draft.node_names or not draft.is_whole("wireless_groups"):
        return None
    names = [*draft.node_of_id, *sorted(draft.node_names - set(draft.node_of_id))]
    index_of = {name: index for index, name in enumerate(names)}
    parent = _parents(draft, index_of)
    level = np.array([draft.level_of_node.get(name, -1) for name in names])
    positions = np.full((len(names), 3), np.nan)
    for index, node in enumerate(draft.node_of_id.values()):
        if node.position_m is not None:
            positions[index] = node.position_m
    links = np.array([(index_of[s], index_of[t]) for s, t in pairs], dtype=np.int64).reshape(-1, 2)
    return _Graph(
        names=names,
        parent=parent,
        cluster=parent * len(draft.tiers) + level,
        roots=np.flatnonzero(level == 0),
        positions_m=positions,
        links=links,
        groups=_groups(draft, index_of),
    )


def _explicit_pairs(draft: Draft) -> list[tuple[str, str]] | None:
    """Return the ends of all explicit links, of invalid ones too, or ``None`` where an end is not known."""
    assert draft.node_names is not None
    pairs: list[tuple[object, object]] = [(link.source, link.target) for link in draft.wireless_links]
    pairs += [(link.source, link.target) for link in draft.wired_links]
    for key in ("wireless_links", "wired_links"):
        if key in draft.unreadable:
            return None
        pairs += [(raw.get("source"), raw.get("target")) for raw in draft.invalid.get(key, ())]
    known: list[tuple[str, str]] = []
    for source, target in pairs:
        if not (isinstance(source, str) and isinstance(target, str)):
            return None
        if source not in draft.node_names or target not in draft.node_names or source == target:
            return None
        known.append((source, target))
    return known


def _parents(draft: Draft, index_of: Mapping[str, int]) -> IntArray:
    """Return the parent of each valid node that has one in a tier above, else -1."""
    parent = np.full(len(index_of), -1, dtype=np.int64)
    levels = draft.level_of_node
    for index, node in enumerate(draft.node_of_id.values()):
        above = node.parent
        if above is not None and above in index_of and levels.get(above, -1) < levels.get(node.id, -1):
            parent[index] = index_of[above]
    return parent


def _groups(draft: Draft, index_of: Mapping[str, int]) -> list[_Group]:
    groups = []
    for group in draft.wireless_groups.values():
        senders = np.unique([index_of[name] for name in group.sources])
        receivers = np.unique([index_of[name] for name in group.targets])
        made = _Group(senders, receivers, np.inf if group.max_distance_m is None else group.max_distance_m)
        groups += [made, made.reversed()] if group.both_ways else [made]
    return groups


def _stranded(graph: _Graph) -> BoolArray:
    """Return which nodes have no way to their parent, shape (N,)."""
    has_parent = graph.parent >= 0
    reached = ~has_parent | _linked(graph, graph.parent)
    for root in graph.roots.tolist():
        reached |= _linked(graph, np.full(len(graph.names), root))
    reached |= _next_to_doubt(graph)
    if not reached.all():
        reached = _spread(graph, reached, has_parent)
    return ~reached


def _linked(graph: _Graph, target: IntArray) -> BoolArray:
    """Return which nodes have a link to their ``target``, shape (N,); -1 stands for none."""
    count = len(graph.names)
    codes = graph.links[:, 0] * count + graph.links[:, 1]
    found: BoolArray = np.isin(np.arange(count) * count + target, codes) & (target >= 0)
    with np.errstate(over="ignore"):  # a distance beyond the range of floats is infinite
        distance_m = np.sqrt(((graph.positions_m - graph.positions_m[target]) ** 2).sum(axis=1))
    is_receiver = np.zeros(count, dtype=np.bool_)
    for group in graph.groups:
        # an unknown distance (NaN) counts as near: the missing position is a defect of its own
        near = group.senders[~(distance_m[group.senders] > group.reach_m) & (target[group.senders] >= 0)]
        is_receiver[group.receivers] = True
        found[near[is_receiver[target[near]]]] = True
        is_receiver[group.receivers] = False
    return found


def _next_to_doubt(graph: _Graph) -> BoolArray:
    """Return which nodes may send to one whose parent is not known, whatever its distance, shape (N,).

    They may well have a way over it; its own defect is reported already.
    """
    is_doubtful = graph.parent < 0
    is_doubtful[graph.roots] = False
    found = np.zeros(len(graph.names), dtype=np.bool_)
    if is_doubtful.any():
        found[graph.links[is_doubtful[graph.links[:, 1]], 0]] = True
        for group in graph.groups:
            if is_doubtful[group.receivers].any():
                found[group.senders] = True
    return found


def _spread(graph: _Graph, reached: BoolArray, has_parent: BoolArray) -> BoolArray:
    """Return which nodes have a way over nodes of their cluster to one in ``reached``, hop after hop."""
    senders_to: dict[int, list[int]] = {}
    is_inside = graph.cluster[graph.links[:, 0]] == graph.cluster[graph.links[:, 1]]
    for sender, receiver in graph.links[is_inside].tolist():
        senders_to.setdefault(receiver, []).append(sender)
    reached, frontier = reached.copy(), reached & has_parent
    while frontier.any():
        near = [s for node in np.flatnonzero(frontier).tolist() for s in senders_to.get(node, ())]
        new = np.zeros_like(reached)
        new[near] = True
        for group in graph.groups:
            waiting = group.senders[~(reached[group.senders] | new[group.senders])]
            new[_within_reach(graph, group, waiting, group.receivers[frontier[group.receivers]])] = True
        frontier = new & ~reached & has_parent
        reached |= frontier
    return reached


def _within_reach(graph: _Graph, group: _Group, senders: IntArray, receivers: IntArray) -> IntArray:
    """Return those senders that have a receiver of their own cluster within reach."""
    if not (len(senders) and len(receivers)):
        return senders[:0]
    senders = senders[np.isin(graph.cluster[senders], graph.cluster[receivers])]
    if not len(senders) or np.isinf(group.reach_m):
        return senders
    found = []
    hosts_of = _by_cluster(graph, receivers)
    for cluster, members in _by_cluster(graph, senders).items():
        is_lost = np.isnan(graph.positions_m[members]).any(axis=1)
        hosts_m = graph.positions_m[hosts_of[cluster]]
        if np.isnan(hosts_m).any():
            is_lost = np.ones(len(members), dtype=np.bool_)  # an unknown distance counts as near
        found.append(members[is_lost])
        placed = members[~is_lost]
        if len(placed):
            distance_m, _ = cKDTree(hosts_m).query(graph.positions_m[placed])
            found.append(placed[distance_m <= group.reach_m])
    return np.concatenate(found)


def _by_cluster(graph: _Graph, nodes: IntArray) -> dict[int, IntArray]:
    """Return the nodes of each cluster."""
    ordered = nodes[np.argsort(graph.cluster[nodes], kind="stable")]
    clusters, starts = np.unique(graph.cluster[ordered], return_index=True)
    return dict(zip(clusters.tolist(), np.split(ordered, starts[1:]), strict=True))
