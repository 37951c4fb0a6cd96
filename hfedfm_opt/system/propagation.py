"""Gains of the wireless links that an instance makes from positions.

The draws of a pair of nodes (line of sight, shadowing) depend on the channel's seed and on the two ids,
and on nothing else: not on the order of the nodes, on the direction, or on which other pairs exist.  Adding a
device therefore changes no other link, and both directions of a link have the same gain.
"""

from collections.abc import Mapping, Sequence
from hashlib import blake2b

import numpy as np
import numpy.typing as npt

from hfedfm_opt.system.channel import BoolArray, LargeScaleModel, model_named
from hfedfm_opt.system.instance import Band, ChannelModel, Instance, Node, WirelessGroup
from hfedfm_opt.system.path_loss import FloatArray, Paths

MIN_DISTANCE_M = 1.0
"""Closer antennas are taken to be this far apart: path-loss formulas mean nothing below."""
IntArray = npt.NDArray[np.int64]
KeyArray = npt.NDArray[np.uint64]
_DRAW_KEYS = (0x0, 0xD1342543DE82EF95, 0xA0761D6478BD642F)  # arbitrary, one for each draw of a pair
_PAIRS_PER_BLOCK = 2_000_000  # bounds the memory that the search for pairs within reach takes


def links_of_group(
    group: WirelessGroup, nodes: Mapping[str, Node], bands: Mapping[str, Band]
) -> tuple[list[str], list[str], FloatArray]:
    """Return all links of a group with their gains.

    Parameters
    ----------
    group : WirelessGroup
        Who talks to whom, in which band and by which channel model.
    nodes, bands : mapping of str
        Nodes and bands by id.

    Returns
    -------
    sources, targets : list of str
        Ids of the senders and receivers: source after source, then the reverse links if there are any.
        No node talks to itself, and no link comes twice.
    gains : array, shape (L,)
        Power gains, linear.

    Raises
    ------
    ValueError
        If a node has no position, or the band no carrier frequency although the model needs one.
    """
    names, first, second, gains = link_arrays(group, nodes, bands)
    labels = np.array(names, dtype=object)
    return labels[first].tolist(), labels[second].tolist(), gains


def link_arrays(
    group: WirelessGroup, nodes: Mapping[str, Node], bands: Mapping[str, Band]
) -> tuple[list[str], IntArray, IntArray, FloatArray]:
    """Return the links of :func:`links_of_group` with their ends as places in a list of ids.

    The parameters are those of :func:`links_of_group`.

    Returns
    -------
    names : list of str
        Ids.
    first, second : array of int, shape (L,)
        The senders and receivers, as places in ``names``.
    gains : array, shape (L,)
        Power gains, linear.
    """
    senders, receivers = list(dict.fromkeys(group.sources)), list(dict.fromkeys(group.targets))
    names = list(dict.fromkeys([*senders, *receivers]))
    index_of = {name: index for index, name in enumerate(names)}
    positions = _positions_m(names, nodes)
    first, second = _pairs_within_reach(
        positions,
        np.array([index_of[name] for name in senders]),
        np.array([index_of[name] for name in receivers]),
        group.max_distance_m,
    )
    model = model_named(group.channel.model, group.channel.reference_loss_db, group.channel.exponent)
    antennas = _antennas_m(names, nodes, positions, model)
    keys = _pair_keys(names, first, second, group.channel.seed)
    gains = _gains(group.channel, model, _paths(antennas, first, second), _carrier_hz(group, bands), keys)
    if group.both_ways:
        new = ~np.isin(second * len(names) + first, first * len(names) + second)
        first, second = np.concatenate([first, second[new]]), np.concatenate([second, first[new]])
        gains = np.concatenate([gains, gains[new]])
    return names, first, second, gains


def gains_of_pairs(
    group: WirelessGroup,
    nodes: Mapping[str, Node],
    bands: Mapping[str, Band],
    pairs: Sequence[tuple[str, str]],
) -> FloatArray:
    """Return the gains of some pairs of nodes by a group's channel model, whatever its reach.

    Parameters
    ----------
    group : WirelessGroup
        Whose channel model and draws count.
    nodes, bands : mapping of str
        Nodes, at their positions, and bands by id.
    pairs : sequence of (str, str)
        Ids of both ends; which of them sends does not matter.

    Returns
    -------
    array, shape (pairs,)
        Power gains, linear.
    """
    names = list(dict.fromkeys(name for pair in pairs for name in pair))
    index_of = {name: index for index, name in enumerate(names)}
    first = np.array([index_of[one] for one, _ in pairs], dtype=np.int64)
    second = np.array([index_of[other] for _, other in pairs], dtype=np.int64)
    model = model_named(group.channel.model, group.channel.reference_loss_db, group.channel.exponent)
    antennas = _antennas_m(names, nodes, _positions_m(names, nodes), model)
    keys = _pair_keys(names, first, second, group.channel.seed)
    return _gains(group.channel, model, _paths(antennas, first, second), _carrier_hz(group, bands), keys)


def _gains(
    channel: ChannelModel, model: LargeScaleModel, paths: Paths, carrier_hz: float, keys: KeyArray
) -> FloatArray:
    if channel.line_of_sight == "drawn":
        clear: BoolArray = _uniform(keys, 0) <= model.los_probability(paths)
    else:
        clear = np.full(len(keys), channel.line_of_sight == "always")
    loss_db = model.loss_db(paths, carrier_hz, clear)
    if channel.shadowing:
        loss_db = loss_db + model.shadowing_db(clear) * _standard_normal(keys)
    return np.asarray(10.0 ** (-loss_db / 10.0), dtype=np.float64)


def _positions_m(names: Sequence[str], nodes: Mapping[str, Node]) -> FloatArray:
    positions = [nodes[name].position_m for name in names]
    for name, position in zip(names, positions, strict=True):
        if position is None:
            raise ValueError(f"node {name!r}: position_m is missing, a wireless group needs it")
    return np.array(positions, dtype=np.float64)


def _carrier_hz(group: WirelessGroup, bands: Mapping[str, Band]) -> float:
    carrier_hz = bands[group.band].carrier_hz
    if carrier_hz is not None:
        return carrier_hz
    if group.channel.model in {"macro", "exponent"}:  # their loss does not depend on it
        return 2e9
    raise ValueError(f"band {group.band!r}: carrier_hz is missing, {group.channel.model!r} needs it")


def _antennas_m(
    names: Sequence[str], nodes: Mapping[str, Node], positions_m: FloatArray, model: LargeScaleModel
) -> FloatArray:
    """Return the positions with the model's own heights in place of 0 or less."""
    is_terminal = np.array([bool(nodes[name].data or nodes[name].modalities) for name in names])
    default = np.where(is_terminal, model.terminal_height_m, model.base_height_m)
    antennas = positions_m.copy()
    antennas[:, 2] = np.where(positions_m[:, 2] > 0.0, positions_m[:, 2], default)
    return antennas


def _pairs_within_reach(
    positions_m: FloatArray, sources: IntArray, targets: IntArray, reach_m: float | None
) -> tuple[IntArray, IntArray]:
    limit = np.inf if reach_m is None else reach_m
    step = max(1, _PAIRS_PER_BLOCK // len(targets))
    first, second = [], []
    for start in range(0, len(sources), step):
        block = sources[start : start + step]
        offset = positions_m[block][:, None] - positions_m[targets][None]  # (sources, targets, 3)
        near = np.sqrt((offset**2).sum(axis=2)) <= limit
        near &= block[:, None] != targets[None]
        row, column = np.nonzero(near)
        first.append(block[row])
        second.append(targets[column])
    return np.concatenate(first), np.concatenate(second)


def _paths(antennas_m: FloatArray, first: IntArray, second: IntArray) -> Paths:
    offset = antennas_m[first] - antennas_m[second]
    heights = np.stack([antennas_m[first, 2], antennas_m[second, 2]])
    return Paths(
        distance_2d_m=np.hypot(offset[:, 0], offset[:, 1]),
        distance_3d_m=np.maximum(np.sqrt((offset**2).sum(axis=1)), MIN_DISTANCE_M),
        base_height_m=heights.max(axis=0),
        terminal_height_m=heights.min(axis=0),
    )


def _pair_keys(names: Sequence[str], first: IntArray, second: IntArray, seed: int) -> KeyArray:
    """Return a 64-bit key for each pair: the same for both directions, and for any company of other pairs."""
    key = blake2b(str(seed).encode(), digest_size=32).digest()
    digests = b"".join([blake2b(name.encode(), digest_size=8, key=key).digest() for name in names])
    node_keys = np.frombuffer(digests, dtype="<u8").astype(np.uint64)
    low, high = (
        np.minimum(node_keys[first], node_keys[second]),
        np.maximum(node_keys[first], node_keys[second]),
    )
    return _mixed(_mixed(low) + high)


def _mixed(values: KeyArray) -> KeyArray:
    """Return the values scrambled by the finaliser of SplitMix64 (Steele, Lea and Flood 2014)."""
    values = values + np.uint64(0x9E3779B97F4A7C15)
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def _uniform(keys: KeyArray, draw: int) -> FloatArray:
    """Return one number in (0, 1] for each key; each ``draw`` gives others."""
    bits = _mixed(keys ^ np.uint64(_DRAW_KEYS[draw])) >> np.uint64(11)
    return (bits.astype(np.float64) + 1.0) * 2.0**-53


def _standard_normal(keys: KeyArray) -> FloatArray:
    """Return one standard normal number for each key, by Box and Muller (1958)."""
    radius = np.sqrt(-2.0 * np.log(_uniform(keys, 1)))
    return np.asarray(radius * np.cos(2.0 * np.pi * _uniform(keys, 2)), dtype=np.float64)


def groups_of_links(instance: Instance, nodes: Mapping[str, Node]) -> dict[tuple[str, str, str], int]:
    """Return which group makes each link (source, target, band).

    As in the network, the last one does, and explicit links come from none.

    Parameters
    ----------
    instance : Instance
        Whose groups count.
    nodes : mapping of str to Node
        Where nodes are.
    """
    bands = {band.id: band for band in instance.bands}
    found: dict[tuple[str, str], int] = {}
    for number, group in enumerate(instance.wireless_groups):
        sources, targets, _ = links_of_group(group, nodes, bands)
        found |= dict.fromkeys(zip(sources, targets, strict=True), number)
    for link in instance.wireless_links:
        found.pop((link.source, link.target), None)
    groups = instance.wireless_groups
    return {(source, target, groups[number].band): number for (source, target), number in found.items()}
