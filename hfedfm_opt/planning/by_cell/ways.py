"""Every way to run every module for every device, as arrays: at home, on the server, on nodes above it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from hfedfm_opt.planning.candidates import Reach
from hfedfm_opt.planning.hops import MissingLink, nominal_hop
from hfedfm_opt.planning.phase import Ledger, Phase
from hfedfm_opt.planning.trained_elsewhere import may_leave
from hfedfm_opt.planning.work import loads_of
from hfedfm_opt.system.instance import Cpu, Module
from hfedfm_opt.system.network import Network, WirelessEdge
from solvers.common.arrays import BoolArray, FloatArray, IntArray

HOME, SERVER = 0, 1
"""The first ways; the others are the nodes above the server, upwards."""


@dataclass(frozen=True)
class Group:
    """Devices that run the same modules, D of them, and the W ways to run each of m modules that may leave.

    Parameters
    ----------
    devices : (D,) int
        Places in ``network.devices``.
    modules : tuple of str, (m,)
        Modules that may run elsewhere than on the device, in order of execution.
    bytes_of : (m,) float
        Memory of their replicas.
    free_bytes : (D,) float
        Memory of the device that the modules that stay leave; ``inf`` is no limit.
    link_s, host_s, joules : (D, m, W) float
        Time on the way there and back at nominal resources, on the host with its whole processor, and energy
        of both; ``inf`` where a module may not run.
    update_s, update_j : (D, m) float
        Of sending the update of a module that is trained at home, where it could be trained elsewhere.
    stay_s, stay_j : (D,) float
        Time and energy of the modules that stay, at full CPU frequency.
    slows : (D,) bool
        Whether the device has a CPU, which may be slowed down where it runs everything.
    """

    devices: IntArray
    modules: tuple[str, ...]
    bytes_of: FloatArray
    free_bytes: FloatArray
    link_s: FloatArray
    host_s: FloatArray
    joules: FloatArray
    update_s: FloatArray
    update_j: FloatArray
    stay_s: FloatArray
    stay_j: FloatArray
    slows: BoolArray


@dataclass(frozen=True)
class Ways:
    """All devices of a network in groups, and who can host for them.

    Parameters
    ----------
    groups : tuple of Group
        Each device is in one.
    cell : (devices,) int
        The cluster of each device, in the order of ``network.members``.
    hosts : (cells, W - 1) int
        For each cell its server and the nodes above, two places at least, as places in ``names``; -1 above
        the root.
    names : tuple of str
        Nodes that may host.
    server_bytes : (cells,) float
        Memory of the servers; ``inf`` is no limit.
    """

    groups: tuple[Group, ...]
    cell: IntArray
    hosts: IntArray
    names: tuple[str, ...]
    server_bytes: FloatArray

    @property
    def num_devices(self) -> int:
        """Number of devices."""
        return len(self.cell)


@dataclass(frozen=True)
class _Leg:
    """A way over hops: seconds and joules of any bits are linear in them."""

    seconds_of_bit: float
    joules_of_bit: float
    delay_s: float
    delay_j: float


_ONE_BIT = 1e6  # any number would do: transfers are linear in their bits


def ways_of(network: Network, reach: Reach, *, slows: bool = True) -> Ways:
    """Return every way to run every module, with the costs of :func:`candidates_of`.

    Parameters
    ----------
    network : Network
        The network.
    reach : "device", "server" or "above"
        Where trainable modules may be trained.
    slows : bool
        Whether CPUs may be slowed down.
    """
    cell_of = {server: index for index, server in enumerate(network.members)}
    paths = {server: network.path_up(server) for server in network.members}
    names = tuple(dict.fromkeys(node for path in paths.values() for node in path))
    place_of = {name: index for index, name in enumerate(names)}
    num_hosts = max(2, *map(len, paths.values()))
    hosts = np.full((len(paths), num_hosts), -1, dtype=np.int64)
    for row, path in enumerate(paths.values()):
        hosts[row, : len(path)] = [place_of[node] for node in path]
    legs = _Legs(network, paths)
    sorted_devices: dict[tuple[str, ...], list[int]] = {}
    for index, device in enumerate(network.devices):
        sorted_devices.setdefault(tuple(loads_of(network, device)), []).append(index)
    groups = tuple(
        _group(network, reach, legs, modules, devices, num_hosts, slows=slows)
        for modules, devices in sorted_devices.items()
    )
    memory = [network.nodes[server].memory_bytes for server in paths]
    return Ways(
        groups,
        np.array([cell_of[network.parent(device)] for device in network.devices], dtype=np.int64),
        hosts,
        names,
        np.array([np.inf if limit is None else limit for limit in memory]),
    )


class _Legs:
    """Ways from devices to their hosts and back; those above a server are found once."""

    def __init__(self, network: Network, paths: Mapping[str, tuple[str, ...]]) -> None:
        self._network = network
        self.paths = paths
        self._known: dict[tuple[str, str, int], _Leg | None] = {}

    def _between(self, source: str, target: str, sharers: int) -> _Leg | None:
        """Return the leg of one hop above a server, ``None`` without a link."""
        key = (source, target, sharers)
        if key not in self._known:
            self._known[key] = _leg(self._network, source, target, sharers)
        return self._known[key]

    def of_device(self, device: str) -> list[tuple[_Leg, _Leg] | None]:
        """Return the ways out to each host above a device, and back; ``None`` where there is none."""
        network = self._network
        server = network.parent(device)
        sharers = len(network.members[server])
        out, back = _leg(network, device, server, sharers), _leg(network, server, device, sharers)
        ways = None if out is None or back is None else (out, back)
        found = [ways]
        for low, high in pairwise(self.paths[server]):
            out, back = self._between(low, high, sharers), self._between(high, low, sharers)
            if ways is None or out is None or back is None:
                ways = None
            else:
                ways = (_joined(ways[0], out), _joined(ways[1], back))
            found.append(ways)
        return found


def _leg(network: Network, source: str, target: str, sharers: int) -> _Leg | None:
    try:
        hop = nominal_hop(network, source, target, sharers)
    except MissingLink:
        return None
    ledger = Ledger()
    phase = Phase(network, ledger, "", "")
    delay_s = delay_j = 0.0
    if not isinstance(network.edges[source, target], WirelessEdge):
        delay_s = phase.transfer(hop, 0.0, 0.0)
        delay_j = sum(ledger.energy_j.values())
        ledger.energy_j.clear()
    seconds = phase.transfer(hop, _ONE_BIT, 0.0) - delay_s
    joules = sum(ledger.energy_j.values()) - delay_j
    return _Leg(seconds / _ONE_BIT, joules / _ONE_BIT, delay_s, delay_j)


def _joined(first: _Leg, second: _Leg) -> _Leg:
    return _Leg(
        first.seconds_of_bit + second.seconds_of_bit,
        first.joules_of_bit + second.joules_of_bit,
        first.delay_s + second.delay_s,
        first.delay_j + second.delay_j,
    )


def _group(
    network: Network,
    reach: Reach,
    legs: _Legs,
    modules: Sequence[str],
    devices: Sequence[int],
    num_hosts: int,
    *,
    slows: bool,
) -> Group:
    """Return the ways of devices that run the same modules."""
    ids = [network.devices[device] for device in devices]
    leaves = [place for place, name in enumerate(modules) if _may_run_above(network, network.modules[name])]
    stays = [place for place in range(len(modules)) if place not in leaves]
    loads = np.array(
        [[(load.flops, load.out_bits, load.back_bits) for load in loads_of(network, d).values()] for d in ids]
    )  # (D, modules, 3)
    sizes = np.array([network.modules[name].memory_bytes for name in modules])
    own = np.array([_own_rates(network, device) for device in ids])  # (D, seconds and joules per flop)
    legs_of = [legs.of_device(device) for device in ids]
    chosen = [network.modules[modules[place]] for place in leaves]
    shape = (len(ids), len(leaves), 1 + num_hosts)
    link_s, host_s, joules = np.full(shape, np.inf), np.full(shape, np.inf), np.full(shape, np.inf)
    flops = loads[:, leaves, 0]
    for depth in range(num_hosts):
        coefficients = _coefficients(network, legs, ids, legs_of, depth)  # (D, 8)
        reached = np.isfinite(coefficients[:, :1])
        allowed = _allowed(network, legs, ids, chosen, depth, reach) & reached
        coefficients = np.where(reached, coefficients, 0.0)
        out_s, out_j, back_s, back_j, delay_s, delay_j, flop_s, flop_j = coefficients.T[:, :, None]
        out_bits, back_bits = loads[:, leaves, 1], loads[:, leaves, 2]
        at = (slice(None), slice(None), 1 + depth)
        link_s[at] = np.where(allowed, out_bits * out_s + back_bits * back_s + delay_s, np.inf)
        host_s[at] = np.where(allowed, flops * flop_s, np.inf)
        carried_j = out_bits * out_j + back_bits * back_j + delay_j
        joules[at] = np.where(allowed, carried_j + flops * flop_j, np.inf)
    home = np.array(
        [not m.may_run_on or network.instance.tiers[-1] in m.may_run_on for m in chosen], dtype=np.bool_
    )
    trained = np.array([module.trainable for module in chosen], dtype=np.bool_)
    home = home | (trained & np.isinf(link_s).all(axis=2))  # (D, m)
    link_s[:, :, HOME] = np.where(home, 0.0, np.inf)
    host_s[:, :, HOME] = np.where(home, flops * own[:, :1], np.inf)
    joules[:, :, HOME] = np.where(home, flops * own[:, 1:], np.inf)
    update_s, update_j = _updates(network, legs_of, chosen)
    memory = [network.nodes[device].memory_bytes for device in ids]
    free_bytes = np.array([np.inf if limit is None else limit for limit in memory]) - sizes[stays].sum()
    stay_flops = loads[:, stays, 0].sum(axis=1)
    return Group(
        devices=np.array(devices, dtype=np.int64),
        modules=tuple(module.id for module in chosen),
        bytes_of=sizes[leaves],
        free_bytes=free_bytes,
        link_s=link_s,
        host_s=host_s,
        joules=joules,
        update_s=update_s,
        update_j=update_j,
        stay_s=stay_flops * own[:, 0],
        stay_j=stay_flops * own[:, 1],
        slows=np.array(
            [slows and isinstance(network.nodes[device].processor, Cpu) for device in ids], dtype=np.bool_
        ),
    )


def _may_run_above(network: Network, module: Module) -> bool:
    return any(tier != network.instance.tiers[-1] for tier in module.may_run_on)


def _own_rates(network: Network, device: str) -> tuple[float, float]:
    """Return the seconds and joules of an operation on a node with its whole processor."""
    ledger = Ledger()
    seconds = Phase(network, ledger, "", "").compute(device, _ONE_BIT, None, 1.0, 0.0)
    return seconds / _ONE_BIT, sum(ledger.energy_j.values()) / _ONE_BIT


def _coefficients(
    network: Network,
    legs: _Legs,
    ids: Sequence[str],
    legs_of: Sequence[Sequence[tuple[_Leg, _Leg] | None]],
    depth: int,
) -> FloatArray:
    """Return what a bit out, a bit back, being there, and an operation cost at a depth, (D, 8)."""
    rates: dict[str, tuple[float, float]] = {}
    rows = []
    for device, found in zip(ids, legs_of, strict=True):
        ways = found[depth] if depth < len(found) else None
        if ways is None:
            rows.append((np.inf,) * 8)
            continue
        host = legs.paths[network.parent(device)][depth]
        if host not in rates:
            rates[host] = _own_rates(network, host)
        out, back = ways
        delays = (out.delay_s + back.delay_s, out.delay_j + back.delay_j)
        bits = (out.seconds_of_bit, out.joules_of_bit, back.seconds_of_bit, back.joules_of_bit)
        rows.append((*bits, *delays, *rates[host]))
    return np.array(rows).reshape(-1, 8)


def _allowed(
    network: Network, legs: _Legs, ids: Sequence[str], modules: Sequence[Module], depth: int, reach: Reach
) -> BoolArray:
    """Return which modules may run on the hosts at a depth, (D, m)."""
    last = {"device": 0, "server": 1, "above": np.inf}[reach]
    rows: dict[str, list[bool]] = {}
    found = []
    for device in ids:
        path = legs.paths[network.parent(device)]
        host = path[depth] if depth < len(path) else ""
        if host not in rows:
            runs = host != "" and not isinstance(network.nodes[host].processor, Cpu)
            rows[host] = [
                runs
                and network.nodes[host].tier in module.may_run_on
                and (not module.trainable or depth + 1 <= last)
                for module in modules
            ]
        found.append(rows[host])
    return np.array(found, dtype=np.bool_).reshape(len(ids), len(modules))


def _updates(
    network: Network, legs_of: Sequence[Sequence[tuple[_Leg, _Leg] | None]], modules: Sequence[Module]
) -> tuple[FloatArray, FloatArray]:
    """Return seconds and joules of an update to the server and the model back, (D, m) each."""
    up = np.array([network.update_bits(m.id) if may_leave(network, m.id) else 0.0 for m in modules])
    down = np.array(
        [network.update_bits(m.id, "model") if may_leave(network, m.id) else 0.0 for m in modules]
    )
    travels = np.array([may_leave(network, m.id) for m in modules], dtype=np.bool_)
    nothing = (0.0,) * 6
    rows = []
    for found in legs_of:
        ways = found[0]
        if ways is None:
            rows.append(nothing)
            continue
        out, back = ways
        bits = (out.seconds_of_bit, out.joules_of_bit, back.seconds_of_bit, back.joules_of_bit)
        rows.append((*bits, out.delay_s + back.delay_s, out.delay_j + back.delay_j))
    out_s, out_j, back_s, back_j, delay_s, delay_j = np.array(rows).reshape(-1, 6).T[:, :, None]
    return up * out_s + down * back_s + travels * delay_s, up * out_j + down * back_j + travels * delay_j
