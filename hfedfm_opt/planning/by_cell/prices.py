"""Prices of time on devices and hosts, what placements cost under them, and what a placement then takes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from hfedfm_opt.planning.by_cell.place_cells import GroupCosts
from hfedfm_opt.planning.by_cell.ways import HOME, SERVER, Group, Ways
from hfedfm_opt.system.instance import Objective
from solvers.common.arrays import BoolArray, FloatArray, IntArray


@dataclass(frozen=True)
class SecondPrices:
    """What a second costs.

    Parameters
    ----------
    device : (devices,) float
        On each device: of its own work and of its transfers.
    host : (hosts,) float
        Of a host's work, for all whom it serves.
    """

    device: FloatArray
    host: FloatArray


@dataclass(frozen=True)
class Taken:
    """What a placement takes, at full CPU frequency.

    Parameters
    ----------
    seconds, joules : (devices,) float
        Of each device's training, with its hosts as loaded as they are.
    busy_s : (hosts,) float
        How long each host works for all that it serves.
    slack : (devices,) bool
        Devices that run everything themselves and may slow down.
    """

    seconds: FloatArray
    joules: FloatArray
    busy_s: FloatArray
    slack: BoolArray


def costs_of(
    ways: Ways, weights: Objective, prices: SecondPrices, *, updates: bool, own_too: bool = False
) -> list[GroupCosts]:
    """Return what all ways cost, group by group.

    Parameters
    ----------
    ways : Ways
        Who may run what.
    weights : Objective
        The prices of joules.
    prices : SecondPrices
        The prices of seconds.
    updates : bool
        Whether the updates of what could be trained elsewhere count.
    own_too : bool
        Whether a host's seconds cost the device's price besides the host's.
    """
    return [_costs(ways, group, weights, prices, updates=updates, own_too=own_too) for group in ways.groups]


def taken_by(ways: Ways, way: Sequence[IntArray]) -> Taken:
    """Return what a placement takes.

    Parameters
    ----------
    ways : Ways
        Who may run what.
    way : sequence of (D, m) int
        For each group, the way of each module of each device.
    """
    busy_s = np.zeros(len(ways.names))
    for group, chosen in zip(ways.groups, way, strict=True):
        device, module = np.nonzero(chosen != HOME)
        host = _hosts(ways, group, chosen)[device, module]
        np.add.at(busy_s, host, group.host_s[device, module, chosen[device, module]])
    seconds, joules = np.empty(ways.num_devices), np.empty(ways.num_devices)
    slack = np.zeros(ways.num_devices, dtype=np.bool_)
    for group, chosen in zip(ways.groups, way, strict=True):
        host_s, link_s, spent_j = (
            _at(values, chosen) for values in (group.host_s, group.link_s, group.joules)
        )
        works = np.where(host_s > 0, busy_s[_hosts(ways, group, chosen)], 0.0)
        host_s = np.where(chosen == HOME, host_s, works)
        home = chosen == HOME
        update_s, update_j = (
            np.where(home, values, 0.0).sum(axis=1) for values in (group.update_s, group.update_j)
        )
        seconds[group.devices] = group.stay_s + (link_s + host_s).sum(axis=1) + update_s
        joules[group.devices] = group.stay_j + spent_j.sum(axis=1) + update_j
        slack[group.devices] = group.slows & home.all(axis=1)
    return Taken(seconds, joules, busy_s, slack)


def served_pairs(ways: Ways, way: Sequence[IntArray]) -> Iterator[tuple[IntArray, IntArray]]:
    """Yield, for groups of servings, the devices and the hosts that serve them."""
    for group, chosen in zip(ways.groups, way, strict=True):
        hosts = _hosts(ways, group, chosen)
        for module in range(chosen.shape[1]):
            away = chosen[:, module] != HOME
            yield group.devices[away], hosts[away, module]


def _hosts(ways: Ways, group: Group, chosen: IntArray) -> IntArray:
    """Return the host of each module, (D, m), as places in ``ways.names``; any where it stays at home."""
    cell = ways.cell[group.devices]
    hosts: IntArray = ways.hosts[cell[:, None], np.maximum(chosen - SERVER, 0)]
    return hosts


def _at(values: FloatArray, chosen: IntArray) -> FloatArray:
    found: FloatArray = np.take_along_axis(values, chosen[:, :, None], axis=2)[:, :, 0]
    return found


def _costs(
    ways: Ways, group: Group, weights: Objective, prices: SecondPrices, *, updates: bool, own_too: bool
) -> GroupCosts:
    second = prices.device[group.devices]
    joule = weights.energy_weight_per_j
    allowed = np.isfinite(group.link_s)
    link_s, host_s, spent_j = (_finite(values) for values in (group.link_s, group.host_s, group.joules))
    hosts = ways.hosts[ways.cell[group.devices]]  # (D, W - 1)
    of_host = np.where(hosts >= 0, prices.host[hosts], 0.0)
    if own_too:
        of_host = of_host + second[:, None]
    of_host = np.concatenate([second[:, None], of_host], axis=1)  # (D, W)
    way = joule * spent_j + second[:, None, None] * link_s + of_host[:, None, :] * host_s
    way[~allowed] = np.inf
    time = second * (group.stay_s + host_s[:, :, HOME].sum(axis=1))
    energy = joule * (group.stay_j + spent_j[:, :, HOME].sum(axis=1))
    whole = np.where(group.slows, _slowed(energy, time), energy + time)
    whole[~allowed[:, :, HOME].all(axis=1)] = np.inf
    if updates:
        update = joule * group.update_j + second[:, None] * group.update_s
        way[:, :, HOME] += update
        whole = whole + update.sum(axis=1)
    return GroupCosts(way, joule * group.stay_j + second * group.stay_s, whole)


def _finite(values: FloatArray) -> FloatArray:
    return np.where(np.isfinite(values), values, 0.0)


def _slowed(energy: FloatArray, time: FloatArray) -> FloatArray:
    """Return the least of ``energy x^2 + time / x`` over the part x in (0, 1] of the full frequency."""
    part = np.minimum(1.0, np.cbrt(time / np.maximum(2.0 * energy, 1e-300)))
    part = np.maximum(part, 1e-100)
    return np.where(time > 0, energy * part**2 + time / part, 0.0)
