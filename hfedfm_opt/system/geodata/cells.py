"""Cells of a real network: carriers, the sites that each device reaches, its parent, and D2D links."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hfedfm_opt.system.generate.city import (
    CELL_BAND_HZ,
    D2D_BAND_HZ,
    D2D_CARRIERS_HZ,
    REUSE_CARRIERS_HZ,
)
from hfedfm_opt.system.geodata.association import balanced_site, strongest_site
from hfedfm_opt.system.geodata.settings import ImportSettings
from hfedfm_opt.system.instance import Band, ChannelModel, Node, WirelessGroup
from hfedfm_opt.system.propagation import links_of_group

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

CELL_REACH_M = 500.0
"""Sites farther away are not looked at, but for the nearest."""
MIN_LOOKED_AT = 12
"""Nearest sites of each device whose channels are drawn, or three times as many as may be in its reach."""


@dataclass(frozen=True)
class Reach:
    """Links between devices and the sites in their reach.

    Parameters
    ----------
    device, site : array, shape (L,)
        Ends of each link, by number, device after device.
    rate_bps : array, shape (L,)
        Rate of the uplink at full power over the whole band of the cell.
    """

    device: IntArray
    site: IntArray
    rate_bps: FloatArray


def carriers_of(sites_m: FloatArray) -> IntArray:
    """Return for each site one of the five carriers, shape (S,): the one whose nearest user is farthest.

    Sites choose in the order of the list; a carrier that nobody has yet is infinitely far.

    Parameters
    ----------
    sites_m : array, shape (S, 2)
        Positions of the sites, m.
    """
    chosen = np.empty(len(sites_m), dtype=np.int64)
    for index, position in enumerate(sites_m):
        distance = np.hypot(*(sites_m[:index] - position).T)
        nearest = [
            float(distance[chosen[:index] == carrier].min(initial=np.inf))
            for carrier in range(len(REUSE_CARRIERS_HZ))
        ]
        chosen[index] = int(np.argmax(nearest))
    return chosen


def bands_of(sites: Sequence[str], carriers: IntArray) -> tuple[Band, ...]:
    """Return a band for the uplinks and downlinks of each site and one for the D2D links of its cell."""
    cells = [
        Band(id=f"cell-{site}", band_hz=CELL_BAND_HZ, carrier_hz=REUSE_CARRIERS_HZ[carrier])
        for site, carrier in zip(sites, carriers.tolist(), strict=True)
    ]
    d2d = [
        Band(id=f"d2d-{site}", band_hz=D2D_BAND_HZ, carrier_hz=D2D_CARRIERS_HZ[carrier])
        for site, carrier in zip(sites, carriers.tolist(), strict=True)
    ]
    return (*cells, *d2d)


def reach_of(
    sites: Sequence[Node], devices: Sequence[Node], bands: Sequence[Band], settings: ImportSettings
) -> Reach:
    """Return the links of each device: its strongest sites that give a useful rate, always the strongest.

    Parameters
    ----------
    sites, devices : sequence of Node
        With positions and radios; a device's parent, where it has one, is in its reach too.
    bands : sequence of Band
        As :func:`bands_of` makes them.
    settings : ImportSettings
        How many sites, and which rate is useful.
    """
    near = _looked_at(sites, devices, settings)
    node_of = {node.id: node for node in (*sites, *devices)}
    band_of = {band.id: band for band in bands}
    number = {node.id: index for index, node in enumerate(devices)}
    device: list[int] = []
    site: list[int] = []
    rate: list[FloatArray] = []
    for index, names in enumerate(near):
        if not names:
            continue
        group = cell_group(sites[index].id, names, settings)
        sources, _, gains = links_of_group(group.model_copy(update={"both_ways": False}), node_of, band_of)
        device.extend(number[name] for name in sources)
        site.extend([index] * len(sources))
        rate.append(_rates_bps(sites[index], [node_of[name] for name in sources], gains, band_of[group.band]))
    found = Reach(np.array(device), np.array(site), np.concatenate(rate))
    return _kept(found, sites, devices, settings)


def cell_group(site: str, devices: Sequence[str], settings: ImportSettings) -> WirelessGroup:
    """Return the links between a site and devices, up and down."""
    model: ChannelModel = ChannelModel(
        model="tr38901-uma" if settings.channel == "uma" else "tr38901-umi", seed=settings.seed
    )
    return WirelessGroup(
        sources=tuple(devices), targets=(site,), band=f"cell-{site}", channel=model, both_ways=True
    )


def parents_of(reach: Reach, num_devices: int, settings: ImportSettings) -> IntArray:
    """Return the number of the site that serves each device, shape (D,)."""
    if settings.association == "strongest":
        return strongest_site(reach.device, reach.site, reach.rate_bps, num_devices)
    return balanced_site(reach.device, reach.site, reach.rate_bps, num_devices, settings.max_devices_per_site)


def d2d_groups(
    site: str, members: Sequence[str], positions_m: FloatArray, settings: ImportSettings
) -> list[WirelessGroup]:
    """Return the D2D links of a cell: of each device with its nearest neighbours in range, both ways.

    Parameters
    ----------
    site : str
        Id of the site.
    members : sequence of str
        Its devices.
    positions_m : array, shape (M, 2)
        Where they are, m.
    settings : ImportSettings
        Range and number.
    """
    channel = ChannelModel(model="tr36843-d2d", seed=settings.seed)
    band, count = f"d2d-{site}", settings.d2d_neighbours
    if len(members) < 2:
        return []
    if len(members) <= count + 1:
        reach_m = settings.d2d_range_m
        whole = WirelessGroup(
            sources=tuple(members),
            targets=tuple(members),
            band=band,
            channel=channel,
            max_distance_m=reach_m,
        )
        return [whole]
    distance = np.hypot(*np.moveaxis(positions_m[:, None] - positions_m[None], 2, 0))
    np.fill_diagonal(distance, np.inf)
    nearest = np.argsort(distance, axis=1, kind="stable")[:, :count]
    groups = []
    for index, others in enumerate(nearest):
        targets = tuple(members[other] for other in others if distance[index, other] <= settings.d2d_range_m)
        if targets:
            source = (members[index],)
            groups.append(
                WirelessGroup(sources=source, targets=targets, band=band, channel=channel, both_ways=True)
            )
    return groups


def _looked_at(sites: Sequence[Node], devices: Sequence[Node], settings: ImportSettings) -> list[list[str]]:
    """Return for each site the devices that have it among their nearest sites, or as their parent."""
    from scipy.spatial import KDTree

    number = {site.id: index for index, site in enumerate(sites)}
    count = min(len(sites), max(MIN_LOOKED_AT, 3 * settings.sites_in_reach))
    query = KDTree(_positions_m(sites)).query(_positions_m(devices), k=[*range(1, count + 1)])
    distance, found = np.asarray(query[0]), np.asarray(query[1])
    near: list[list[str]] = [[] for _ in sites]
    for device, row, far in zip(devices, found.tolist(), distance.tolist(), strict=True):
        chosen = [site for site, metres in zip(row, far, strict=True) if metres <= CELL_REACH_M] or row[:1]
        own = [number[device.parent]] if device.parent is not None else []
        for site in dict.fromkeys([*own, *chosen]):
            near[site].append(device.id)
    return near


def _positions_m(nodes: Sequence[Node]) -> FloatArray:
    return np.array([node.position_m[:2] for node in nodes if node.position_m is not None])


def _rates_bps(site: Node, devices: Sequence[Node], gains: FloatArray, band: Band) -> FloatArray:
    """Return Shannon's rate at full power over the whole band, shape (L,)."""
    assert site.radio is not None, "a site has a radio"
    power_w = np.array([device.radio.max_power_w for device in devices if device.radio is not None])
    noise_w = band.noise_w_per_hz * 10.0 ** (site.radio.noise_figure_db / 10.0) * band.band_hz
    rates: FloatArray = band.band_hz * np.log2(1.0 + power_w * gains / noise_w)
    return rates


def _kept(reach: Reach, sites: Sequence[Node], devices: Sequence[Node], settings: ImportSettings) -> Reach:
    order = np.lexsort((reach.site, -reach.rate_bps, reach.device))
    device, site, rate = reach.device[order], reach.site[order], reach.rate_bps[order]
    starts = np.searchsorted(device, np.arange(len(devices)))
    rank = np.arange(len(device)) - starts[device]
    number = {node.id: index for index, node in enumerate(sites)}
    parent = np.array([number[node.parent] if node.parent is not None else -1 for node in devices])
    keep = (rank == 0) | (rank < settings.sites_in_reach) & (rate >= settings.min_rate_bps)
    keep |= site == parent[device]
    return Reach(device[keep], site[keep], rate[keep])
