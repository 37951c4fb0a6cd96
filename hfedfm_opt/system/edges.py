"""All links of a network: arrays of those that groups make, and a link object for each that is asked for."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fl_runtime.physics import shannon_rate_bps
from hfedfm_opt.system.instance import Band, Instance, Node
from hfedfm_opt.system.propagation import link_arrays

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class WirelessEdge:
    """A wireless link: its band, power gain and the noise density at its receiver (noise figure included)."""

    source: str
    target: str
    band: str
    gain: float
    noise_w_per_hz: float

    def rate_bps(self, band_hz: float, power_w: float) -> float:
        """Return the Shannon rate of a share ``band_hz`` (Hz) at ``power_w`` (W), in bit/s."""
        return shannon_rate_bps(band_hz, power_w, self.gain, self.noise_w_per_hz)


@dataclass(frozen=True, slots=True)
class WiredEdge:
    """A link of fixed rate; ``rate_bps`` ``None`` means that the payload takes no time."""

    source: str
    target: str
    rate_bps: float | None
    delay_s: float
    power_w: float


Edge = WirelessEdge | WiredEdge


@dataclass(frozen=True)
class GroupLinks:
    """Links that groups make, L of them, sorted by sender; of equal pairs the last counts.

    Parameters
    ----------
    names : sequence of str
        Ids of the N nodes.
    place_of : mapping of str to int
        Where each id is in ``names``.
    starts : sequence of int, (N + 1,)
        Where the links of each sender start.
    source, target : (L,) int
        Ends, as places in ``names``.
    band : (L,) int
        Places in ``bands``.
    bands : sequence of str
        Ids of bands.
    gain : (L,) float
        Power gains.
    noise_w_per_hz : (L,) float
        Noise densities at the receivers.
    """

    names: Sequence[str]
    place_of: Mapping[str, int]
    starts: Sequence[int]
    source: npt.NDArray[np.int32]
    target: npt.NDArray[np.int32]
    band: npt.NDArray[np.int32]
    bands: Sequence[str]
    gain: npt.NDArray[np.float64]
    noise_w_per_hz: npt.NDArray[np.float64]

    def find(self, source: str, target: str) -> int | None:
        """Return the place of the link of a pair of nodes, ``None`` if there is none."""
        low, high = self.place_of.get(source), self.place_of.get(target)
        if low is None or high is None:
            return None
        start, end = self.starts[low], self.starts[low + 1]
        if start == end:
            return None
        found = np.flatnonzero(self.target[start:end] == high)
        return start + int(found[-1]) if found.size else None

    def edge(self, place: int) -> WirelessEdge:
        """Return a link as an object."""
        return WirelessEdge(
            self.names[self.source[place]],
            self.names[self.target[place]],
            self.bands[self.band[place]],
            float(self.gain[place]),
            float(self.noise_w_per_hz[place]),
        )


class Edges(Mapping[tuple[str, str], Edge]):
    """The link of each ordered pair of nodes that has one; those that are asked for are kept.

    An explicit wireless link goes before one of a group, and that before a wired one.
    """

    def __init__(self, links: GroupLinks, explicit: Mapping[tuple[str, str], Edge]) -> None:
        self._links = links
        self._explicit = explicit
        self._explicit_to: dict[str, set[str]] = {}
        for source, target in explicit:
            self._explicit_to.setdefault(source, set()).add(target)
        self._known = {pair: edge for pair, edge in explicit.items() if isinstance(edge, WirelessEdge)}

    def __getitem__(self, pair: tuple[str, str]) -> Edge:
        edge = self._known.get(pair)
        if edge is not None:
            return edge
        place = self._links.find(*pair)
        if place is None:
            return self._explicit[pair]
        found = self._known[pair] = self._links.edge(place)
        return found

    def receivers_of(self, source: str) -> set[str]:
        """Return the nodes to which a node has a link."""
        links = self._links
        found = set(self._explicit_to.get(source, ()))
        place = links.place_of.get(source)
        if place is not None:
            targets = links.target[links.starts[place] : links.starts[place + 1]].tolist()
            found.update(links.names[target] for target in targets)
        return found

    def __contains__(self, pair: object) -> bool:
        if pair in self._explicit or pair in self._known:
            return True
        return isinstance(pair, tuple) and len(pair) == 2 and self._links.find(*pair) is not None

    def __iter__(self) -> Iterator[tuple[str, str]]:
        names, links = self._links.names, self._links
        made = zip(links.source.tolist(), links.target.tolist(), strict=True)
        pairs = ((names[source], names[target]) for source, target in made)
        return iter(dict.fromkeys([*self._explicit, *pairs]))

    def __len__(self) -> int:
        return len(list(iter(self)))


def edges_of(instance: Instance) -> Edges:
    """Return all links of a valid instance.

    Parameters
    ----------
    instance : Instance
        The instance.
    """
    nodes = {node.id: node for node in instance.nodes}
    bands = {band.id: band for band in instance.bands}
    explicit: dict[tuple[str, str], Edge] = {
        (link.source, link.target): WiredEdge(
            link.source, link.target, link.rate_bps, link.delay_s, link.power_w
        )
        for link in instance.wired_links
    }
    noise = {node.id: 10 ** (node.radio.noise_figure_db / 10) for node in instance.nodes if node.radio}
    for link in instance.wireless_links:
        density = bands[link.band].noise_w_per_hz * noise[link.target]
        explicit[link.source, link.target] = WirelessEdge(
            link.source, link.target, link.band, link.gain, density
        )
    return Edges(_group_links(instance, nodes, bands, noise), explicit)


def _group_links(
    instance: Instance, nodes: Mapping[str, Node], bands: Mapping[str, Band], noise: Mapping[str, float]
) -> GroupLinks:
    names, band_names = tuple(nodes), tuple(bands)
    place_of = {name: place for place, name in enumerate(names)}
    band_place = {name: place for place, name in enumerate(band_names)}
    factor = np.array([noise.get(name, np.nan) for name in names])
    sources, targets, gains = [_no_places()], [_no_places()], [np.zeros(0)]
    sizes = []
    for group in instance.wireless_groups:
        own, first, second, gain = link_arrays(group, nodes, bands)
        places = np.array([place_of[name] for name in own], dtype=np.int32)
        sources.append(places[first])
        targets.append(places[second])
        gains.append(gain)
        sizes.append(len(gain))
    source, target = np.concatenate(sources), np.concatenate(targets)
    used = np.array([band_place[group.band] for group in instance.wireless_groups], dtype=np.int32)
    density = np.array([bands[group.band].noise_w_per_hz for group in instance.wireless_groups])
    order = np.argsort(source, kind="stable")
    counts = np.bincount(source, minlength=len(names))
    noise_w_per_hz = np.repeat(density, sizes) * factor[target]
    return GroupLinks(
        names=names,
        place_of=place_of,
        starts=np.concatenate([[0], np.cumsum(counts)]).tolist(),
        source=source[order],
        target=target[order],
        band=np.repeat(used, sizes)[order],
        bands=band_names,
        gain=np.concatenate(gains)[order],
        noise_w_per_hz=noise_w_per_hz[order],
    )


def _no_places() -> npt.NDArray[np.int32]:
    return np.zeros(0, dtype=np.int32)
