"""A campus: four street-level servers, 24 unlike devices, a model too large for most of them."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from hfedfm_opt.system.generate.compact_model import compact_modules, compact_tasks
from hfedfm_opt.system.generate.default_tasks import TASK_NAMES, data_of, modalities_for
from hfedfm_opt.system.generate.hardware import (
    CLOUD_PROCESSOR,
    EDGE_MEMORY_BYTES,
    EDGE_PROCESSORS,
    SERVER_RADIO,
    draw_hardware,
)
from hfedfm_opt.system.generate.trained_kinds import with_trained
from hfedfm_opt.system.instance import (
    Band,
    ChannelModel,
    Instance,
    Node,
    Objective,
    Training,
    WiredLink,
    WirelessGroup,
)
from hfedfm_opt.system.propagation import links_of_group

SERVERS_M = ((100.0, 100.0), (300.0, 100.0), (100.0, 300.0), (300.0, 300.0))
DEVICES_PER_SERVER = 6
SPOT_RADIUS_M = 40.0
"""The devices about a server meet in one spot, a building or a square, of this radius."""
SPOT_DISTANCE_M = 50.0
CELL_REACH_M, D2D_REACH_M = 300.0, 120.0
SERVER_HEIGHT_M, DEVICE_HEIGHT_M = 10.0, 1.5
CELL_CARRIER_HZ, CELL_BAND_HZ = 3.5e9, 20e6
D2D_CARRIER_HZ, D2D_BAND_HZ = 2.0e9, 10e6
BACKHAUL_BPS, BACKHAUL_POWER_W = 200e6, 5.0
SAMPLES = (40, 60, 80, 120)
TRAINING_MEMORY = 8.0
"""Times the memory of servers that are to train encoders, experts or a backbone for devices."""
CAMPUS_SEED = 15
"""Seed of the shipped campus: with it every cell has six devices, and its D2D links connect them."""

_DESCRIPTION = (
    "A campus of 400 m x 400 m: 4 edge servers on a square of 200 m, 24 devices in 4 spots of 40 m radius "
    "(seed {seed}), a cloud. Uplinks and downlinks by TR 38.901 UMi at 3.5 GHz to every server within 300 "
    "m, D2D links by TR 36.843 at 2 GHz up to 120 m within a cell; a device's parent is its strongest "
    "server. Terminals of 23 dBm with half-duplex radios and noise figure 9 dB, servers of 30 dBm with 5 "
    "dB. Devices differ in frequency (0.6 to 2.4 GHz), operations per cycle, memory (64, 160 or 512 MB), "
    "tasks, modalities and samples. The model is a compact vision-language-audio transformer of width "
    "384: encoders, prompts, a backbone and four experts are frozen, the adapter and the heads are "
    "trained {where}. Only devices of 512 MB hold the backbone and its experts, and no "
    "edge server holds the whole model: the frozen modules may run on devices, edge servers or the cloud."
)


def campus_instance(
    seed: int = CAMPUS_SEED, trained_on: tuple[str, ...] = (), trained: tuple[str, ...] = ()
) -> Instance:
    """Return a campus; the same seed gives the same instance.

    Parameters
    ----------
    seed : int
        Seed of positions, hardware, tasks, samples and channels, >= 0; only the default is named ``campus``.
    trained_on : tuple of str
        Tiers that may train the adapter and the heads, of ``device``, ``edge`` and ``cloud``; none: the
        devices themselves.
    trained : tuple of str
        Kinds of modules that are trained besides, of ``backbone``, ``encoder``, ``expert`` (with a gate),
        ``lora`` and ``prompt``.  With one of the first three, servers have eight times the memory.
    """
    where = f"on {' or '.join(trained_on)} nodes" if trained_on else "on the devices themselves"
    modules, tasks = with_trained(compact_modules(trained_on), compact_tasks(), trained)
    name = "campus" if seed == CAMPUS_SEED else f"campus-{seed}"
    rng = np.random.default_rng(seed)
    memory = TRAINING_MEMORY if set(trained) & {"backbone", "encoder", "expert"} else 1.0
    servers = [_server(index, memory) for index in range(len(SERVERS_M))]
    orphans = _devices(rng)
    bands = [_band("cell", server.id) for server in servers]
    bands += [_band("d2d", server.id) for server in servers]
    cells = [_cell(server.id, orphans, seed) for server in servers]
    parents = strongest_servers(cells, [*servers, *orphans], bands)
    devices = [device.model_copy(update={"parent": parents[device.id]}) for device in orphans]
    return Instance(
        format="hfedfm-instance",
        version=1,
        name="-".join((name, *trained_on, *trained)),
        description=_DESCRIPTION.format(seed=seed, where=where)
        + (f" Trained besides: {', '.join(trained)}." if trained else ""),
        tiers=("cloud", "edge", "device"),
        nodes=(Node(id="cloud", tier="cloud", processor=CLOUD_PROCESSOR), *servers, *devices),
        bands=tuple(bands),
        wireless_groups=(*cells, *_d2d_groups(servers, devices, seed)),
        wired_links=backhaul([server.id for server in servers]),
        modules=modules,
        tasks=tasks,
        training=Training(rounds=24, period=2),
        objective=Objective(energy_weight_per_j=1.0, time_weight_per_s=5.0),
    )


def strongest_servers(
    cells: Sequence[WirelessGroup], nodes: Sequence[Node], bands: Sequence[Band]
) -> dict[str, str]:
    """Return, for each device that reaches a server in some cell, the server with the largest gain.

    Parameters
    ----------
    cells : sequence of WirelessGroup
        Groups of links from devices to servers.
    nodes, bands : sequence of Node and Band
        All that the groups name.
    """
    node_of, band_of = {node.id: node for node in nodes}, {band.id: band for band in bands}
    best: dict[str, tuple[float, str]] = {}
    for cell in cells:
        one_way = cell.model_copy(update={"both_ways": False})
        sources, targets, gains = links_of_group(one_way, node_of, band_of)
        for source, target, gain in zip(sources, targets, gains.tolist(), strict=True):
            best[source] = max(best.get(source, (0.0, target)), (gain, target))
    return {device: server for device, (_, server) in best.items()}


def backhaul(servers: Sequence[str]) -> tuple[WiredLink, ...]:
    """Return wired links between each server and the cloud, both ways; the delay grows from 5 ms to 20 ms."""
    delays = (0.005, 0.01, 0.015, 0.02)
    return tuple(
        WiredLink(
            source=source,
            target=target,
            rate_bps=BACKHAUL_BPS,
            delay_s=delays[index % len(delays)],
            power_w=BACKHAUL_POWER_W,
        )
        for index, server in enumerate(servers)
        for source, target in ((server, "cloud"), ("cloud", server))
    )


def draw_tasks(rng: np.random.Generator, num_devices: int) -> list[tuple[str, ...]]:
    """Return one or two tasks for each device, every choice equally likely."""
    choices = [(name,) for name in TASK_NAMES] + [
        (first, second) for i, first in enumerate(TASK_NAMES) for second in TASK_NAMES[i + 1 :]
    ]
    return [choices[choice] for choice in rng.integers(len(choices), size=num_devices).tolist()]


def draw_in_disc(
    rng: np.random.Generator, centres_m: npt.NDArray[np.float64], radius_m: float
) -> npt.NDArray[np.float64]:
    """Return a point for each centre (n, 2), uniform on the disc about it."""
    distance = radius_m * np.sqrt(rng.random(len(centres_m)))
    angle = 2.0 * np.pi * rng.random(len(centres_m))
    offset = distance[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return rounded_m(centres_m + offset)


def rounded_m(positions_m: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return positions to the centimetre: last bits of sines differ between processors, files should not."""
    return np.round(positions_m, 2)


def _server(index: int, memory: float) -> Node:
    x, y = SERVERS_M[index]
    return Node(
        id=f"s{index}",
        tier="edge",
        parent="cloud",
        position_m=(x, y, SERVER_HEIGHT_M),
        memory_bytes=memory * EDGE_MEMORY_BYTES[index],
        processor=EDGE_PROCESSORS[index % len(EDGE_PROCESSORS)],
        radio=SERVER_RADIO,
    )


def _devices(rng: np.random.Generator) -> list[Node]:
    num_devices = len(SERVERS_M) * DEVICES_PER_SERVER
    angles = 2.0 * np.pi * rng.random(len(SERVERS_M))
    spots = np.array(SERVERS_M) + SPOT_DISTANCE_M * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    positions = draw_in_disc(rng, np.repeat(spots, DEVICES_PER_SERVER, axis=0), SPOT_RADIUS_M).tolist()
    tasks_of = draw_tasks(rng, num_devices)
    hardware = draw_hardware(rng, num_devices)
    return [
        Node(
            id=f"d{index}",
            tier="device",
            position_m=(positions[index][0], positions[index][1], DEVICE_HEIGHT_M),
            memory_bytes=memory_bytes,
            processor=processor,
            radio=radio,
            modalities=modalities_for(tasks),
            data=data_of(tasks, rng.choice(SAMPLES, size=len(tasks)).tolist()),
        )
        for index, (tasks, (processor, radio, memory_bytes)) in enumerate(
            zip(tasks_of, hardware, strict=True)
        )
    ]


def _band(kind: str, server: str) -> Band:
    if kind == "cell":
        return Band(id=f"cell-{server}", band_hz=CELL_BAND_HZ, carrier_hz=CELL_CARRIER_HZ)
    return Band(id=f"d2d-{server}", band_hz=D2D_BAND_HZ, carrier_hz=D2D_CARRIER_HZ)


def _cell(server: str, devices: Sequence[Node], seed: int) -> WirelessGroup:
    return WirelessGroup(
        sources=tuple(device.id for device in devices),
        targets=(server,),
        band=f"cell-{server}",
        channel=ChannelModel(model="tr38901-umi", seed=seed),
        both_ways=True,
        max_distance_m=CELL_REACH_M,
    )


def _d2d_groups(servers: Sequence[Node], devices: Sequence[Node], seed: int) -> list[WirelessGroup]:
    groups = []
    for server in servers:
        members = tuple(device.id for device in devices if device.parent == server.id)
        if len(members) > 1:
            groups.append(
                WirelessGroup(
                    sources=members,
                    targets=members,
                    band=f"d2d-{server.id}",
                    channel=ChannelModel(model="tr36843-d2d", seed=seed),
                    max_distance_m=D2D_REACH_M,
                )
            )
    return groups
